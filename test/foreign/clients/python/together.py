"""Both journeys in one process, which also has stubs of another team with options of their own, and Ostiary's stubs a second time.
Arguments: the folder of the second stubs, the host and port of the public listener, four e-mails."""

import importlib
import sys

import private_options_pb2
from google.protobuf import descriptor_pb2
from ostiary.flow.v1 import flow_service_pb2

import connect_journey
import grpc_journey


def main(second_stubs, address, email, *emails):
    grpc_journey.main(address, email)
    connect_journey.main(f"http://{address}", *emails)

    # What Google's Protobuf knows is one registry for the whole process: options with one number end it here.
    extensions = flow_service_pb2.DESCRIPTOR.pool.FindAllExtensions(descriptor_pb2.MethodOptions.DESCRIPTOR)
    names = {extension.full_name for extension in extensions}
    assert names >= {"ostiary.option.v1.method", private_options_pb2.required_role.full_name}, names

    for name in [name for name in sys.modules if name.split(".")[0] in ("buf", "ostiary")]:
        del sys.modules[name]
    sys.path.insert(0, second_stubs)
    again = importlib.import_module("ostiary.flow.v1.flow_service_pb2")
    assert again.__file__.startswith(second_stubs), again.__file__
    print("they live together")


if __name__ == "__main__":
    main(*sys.argv[1:])
