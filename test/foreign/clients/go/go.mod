module example.com/journey

go 1.24

tool (
	connectrpc.com/connect/cmd/protoc-gen-connect-go
	google.golang.org/protobuf/cmd/protoc-gen-go
)

require (
	connectrpc.com/connect v1.18.1
	google.golang.org/genproto/googleapis/rpc v0.0.0-20250218202821-56aae31c358a
	google.golang.org/protobuf v1.36.6
	ostiary.example/go v0.0.0
)

// The stubs are made here until their module is published.
replace ostiary.example/go => ./stubs
