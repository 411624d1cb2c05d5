package environ_test

import (
	"fmt"
	"os"

	"microsecrets/lib/environ"
)

func ExampleParse() {
	env, err := environ.Parse([]byte("# the database\nDB_HOST=db.example.com\nDB_PASSWORD=a=b c\n"), environ.Auto)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%q\n", env)

	// Errors say where, and never what.
	_, err = environ.Parse([]byte("DB_HOST=db.example.com\nhunter2\n"), environ.Lines)
	fmt.Println(err)
	// Output:
	// map["DB_HOST":"db.example.com" "DB_PASSWORD":"a=b c"]
	// line 2: no "=": a line is NAME=VALUE (-f dotenv reads values that span lines)
}

func ExampleEnv_Merge() {
	stored := environ.Env{"DB_HOST": "old.example.com", "DB_USER": "app"}
	merged, overridden := stored.Merge(environ.Env{"DB_HOST": "new.example.com", "DB_PORT": "5432"})
	text, err := merged.Marshal()
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
	fmt.Println(overridden)
	// Output:
	// {"DB_HOST":"new.example.com","DB_PORT":"5432","DB_USER":"app"}
	// [DB_HOST]
}

func ExampleEnv_Render() {
	env := environ.Env{"GREETING": "it's here", "PORT": "8080"}
	for _, format := range []environ.Format{environ.Sh, environ.TFVars} {
		text, err := env.Render(format)
		if err != nil {
			panic(err)
		}
		os.Stdout.Write(text)
	}
	// What a format cannot represent exactly is refused.
	_, err := environ.Env{"KEY": "two\nlines"}.Render(environ.Lines)
	fmt.Println(err)
	// Output:
	// export GREETING='it'\''s here'
	// export PORT='8080'
	// GREETING = "it's here"
	// PORT = "8080"
	// KEY: its value has more than one line: -f lines cannot represent it, -f nul can
}

func ExampleFilter_Apply() {
	env := environ.Env{"DB_PASSWORD": "hunter2", "LD_PRELOAD": "/tmp/evil.so"}
	_, err := environ.Filter{}.Apply(env)
	fmt.Println(err)

	allowed, err := environ.Filter{Only: []string{"DB_PASSWORD"}, DropOthers: true}.Apply(env)
	fmt.Println(allowed.Names(), err)
	// Output:
	// unsafe variables: LD_PRELOAD (the dynamic loader: loads the libraries that it names into every program): name them with -only, or use -allow-unsafe
	// [DB_PASSWORD] <nil>
}
