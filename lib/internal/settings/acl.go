package settings

import (
	"encoding/binary"
	"errors"
)

// The form of the extended attribute system.posix_acl_access, of which Linux's
// include/uapi/linux/posix_acl_xattr.h is the definition: a version and entries
// of 8 bytes, all little-endian.
const (
	aclVersion = 2
	aclHeader  = 4
	aclEntry   = 8

	aclUserObj  = 0x01 // the file's owner
	aclUser     = 0x02 // a user by number
	aclGroupObj = 0x04 // the file's group
	aclGroup    = 0x08 // a group by number
	aclMask     = 0x10 // the most that the three above and below it may do
	aclOther    = 0x20

	aclWrite = 0x02
)

var errACL = errors.New("its access control list cannot be read")

// writers returns which users and groups an access control list names as able to
// write, and whether the file's own group is able to.
func writers(acl []byte) (users, groups []int, group bool, err error) {
	if len(acl) < aclHeader || len(acl)%aclEntry != aclHeader || binary.LittleEndian.Uint32(acl) != aclVersion {
		return nil, nil, false, errACL
	}
	mask := uint16(aclWrite)
	for e := acl[aclHeader:]; len(e) > 0; e = e[aclEntry:] {
		permissions, id := binary.LittleEndian.Uint16(e[2:]), int(binary.LittleEndian.Uint32(e[4:]))
		writes := permissions&aclWrite != 0
		switch binary.LittleEndian.Uint16(e) {
		case aclUser:
			if writes {
				users = append(users, id)
			}
		case aclGroup:
			if writes {
				groups = append(groups, id)
			}
		case aclGroupObj:
			group = writes
		case aclMask:
			mask = permissions
		case aclUserObj, aclOther: // as the mode has them
		default:
			return nil, nil, false, errACL
		}
	}
	if mask&aclWrite == 0 {
		return nil, nil, false, nil
	}
	return users, groups, group, nil
}
