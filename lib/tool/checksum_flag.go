package tool

import (
	"flag"
	"slices"
	"strings"

	"microsecrets/lib/secret"
)

// ChecksumFlag is the flag -c, which may be given again: HASH, or NAME=HASH.
type ChecksumFlag struct {
	unnamed secret.Checksum
	named   map[string]secret.Checksum
}

// Register adds the flag to fs.
func (f *ChecksumFlag) Register(fs *flag.FlagSet) { fs.Func("c", "", f.add) }

func (f *ChecksumFlag) add(s string) error {
	name, digits := "", s
	if i := strings.LastIndexByte(s, '='); i >= 0 {
		name, digits = s[:i], s[i+1:]
	}
	sum, err := secret.ParseChecksum(digits)
	if err != nil {
		return &Refusal{err.Error() + ", or NAME=HASH"}
	}
	if name == "" {
		if digits != s {
			return &Refusal{"an empty NAME before the HASH"}
		}
		if f.unnamed != nil {
			return &Refusal{"given twice without a name: write NAME=HASH"}
		}
		f.unnamed = sum
		return nil
	}
	if f.named[name] != nil {
		return &Refusal{"given twice for one name"}
	}
	if f.named == nil {
		f.named = map[string]secret.Checksum{}
	}
	f.named[name] = sum
	return nil
}

// Given reports whether the flag was given.
func (f *ChecksumFlag) Given() bool { return f.unnamed != nil || f.named != nil }

// For returns the checksums by name. A HASH without a NAME is for the only one
// of candidates; if there are none or several it is a usage error, as is a NAME that
// is not among names.
func (f *ChecksumFlag) For(candidates, names []string) (map[string]secret.Checksum, error) {
	sums := map[string]secret.Checksum{}
	for name, sum := range f.named {
		if !slices.Contains(names, name) {
			return nil, Usagef("flag -c is given for a name that is not asked for")
		}
		sums[name] = sum
	}
	switch {
	case f.unnamed == nil:
		return sums, nil
	case len(candidates) != 1:
		return nil, Usagef("flag -c HASH is for one secret: where there are several write -c NAME=HASH")
	case sums[candidates[0]] != nil:
		return nil, Usagef("flag -c is given twice for one name")
	}
	sums[candidates[0]] = f.unnamed
	return sums, nil
}
