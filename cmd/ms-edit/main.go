// Ms-edit edits a secret in the user's editor.
package main

import (
	"microsecrets/lib/tool"
	"microsecrets/lib/tool/edit"
)

func main() { tool.Main(edit.Run) }
