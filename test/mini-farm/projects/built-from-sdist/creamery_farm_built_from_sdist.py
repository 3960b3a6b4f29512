STATE = "built here"
