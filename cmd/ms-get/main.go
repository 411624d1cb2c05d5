// Ms-get fetches secrets, decrypts and verifies them.
package main

import (
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/get"
)

func main() { tool.Main(get.Run) }
