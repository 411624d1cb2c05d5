// Ms-exec becomes a command that has secrets in its environment or in files.
package main

import (
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/exec"
)

func main() { tool.Main(exec.Run) }
