#include <Python.h>

int fast(void) { return 1 +; }
