#include <Python.h>

#include <assert.h>

static PyObject *root(PyObject *module, PyObject *argument)
{
    long value = PyLong_AsLong(argument);
    long found = 0;
    (void)module;
    if (value == -1 && PyErr_Occurred())
        return NULL;
    assert(value >= 0);
    while ((found + 1) * (found + 1) <= value)
        found++;
    return PyLong_FromLong(found);
}

static PyMethodDef methods[] = {{"root", root, METH_O, "The whole square root."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_checked", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__checked(void)
{
    return PyModule_Create(&definition);
}
