raise RuntimeError("this project cannot be built")
