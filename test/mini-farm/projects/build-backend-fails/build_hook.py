raise RuntimeError("no wheel today")
