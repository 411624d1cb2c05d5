package tool

// Rights are, for tests, what operations need, with the roles that programs are told.
func Rights() map[string]Right {
	all := map[string]Right{}
	for op, r := range rights {
		all[op] = r
	}
	for program, ops := range roles {
		for op, role := range ops {
			all[program+" "+op] = Right{rights[op].Action, role}
		}
	}
	return all
}
