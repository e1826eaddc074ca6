// The module that the stubs are generated into, beside this file. Once it is published its users need neither this nor buf.gen.yaml.
module ostiary.example/go

go 1.24

require (
	connectrpc.com/connect v1.18.1
	google.golang.org/genproto/googleapis/rpc v0.0.0-20250218202821-56aae31c358a
	google.golang.org/protobuf v1.36.6
)
