// Ms-diff says what differs between secrets.
package main

import (
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/diff"
)

func main() { tool.Main(diff.Run) }
