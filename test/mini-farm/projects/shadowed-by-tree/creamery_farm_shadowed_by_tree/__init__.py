STATE = "of the tree"
