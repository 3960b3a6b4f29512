STATE = "as published"
