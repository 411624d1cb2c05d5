package tool

import "microsecrets/lib/internal/settings"

// Usage is the part of every usage text that the programs share: the flags of
// each, and the settings.
var Usage = `
  -v               show the settings and each request on standard error
  -version         print the version
  -h               print this

settings, each as a flag, as a variable (-bucket-owner, MS_BUCKET_OWNER) or as a
line in the file .msrc:

` + settings.Usage()
