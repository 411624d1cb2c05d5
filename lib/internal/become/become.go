// Package become turns this process into another program: by execve, so that
// no parent stays behind and signals, the terminal and the exit status are the
// program's own; where there is no execve, as its parent.
package become
