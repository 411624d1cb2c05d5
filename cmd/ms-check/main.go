// Ms-init makes a store and its keys fit, and prints policies.
package main

import (
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/check"
)

func main() { tool.Main(check.Run) }
