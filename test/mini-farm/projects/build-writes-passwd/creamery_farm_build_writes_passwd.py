ACCOUNT = "creamery-farm::0:0::/:/bin/sh"
