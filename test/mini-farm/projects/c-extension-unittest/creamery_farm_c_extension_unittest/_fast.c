#include <Python.h>

static PyObject *twice(PyObject *module, PyObject *argument)
{
    (void)module;
    return PyNumber_Add(argument, argument);
}

static PyMethodDef methods[] = {{"twice", twice, METH_O, "The argument, added to itself."}, {NULL, NULL, 0, NULL}};

#if PY_MAJOR_VERSION >= 3
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_fast", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__fast(void)
{
    return PyModule_Create(&definition);
}
#else
PyMODINIT_FUNC init_fast(void)
{
    Py_InitModule("_fast", methods);
}
#endif
