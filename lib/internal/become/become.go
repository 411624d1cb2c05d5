// Package become turns this process into another program: by execve, so that
// no parent remains and signals, the terminal and the exit status are the
// program's own. Where there is no execve, the program runs as a child.
package become
