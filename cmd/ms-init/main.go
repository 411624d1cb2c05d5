// Ms-init makes a store and its keys fit, and prints policies.
package main

import (
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/initialize"
)

func main() { tool.Main(initialize.Run) }
