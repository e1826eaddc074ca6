"""The main journey with Python's own gRPC stack. Arguments: the host and port of the public listener, an e-mail."""

import sys

import grpc
from google.protobuf import struct_pb2
from ostiary.flow.v1 import flow_pb2, login_service_pb2, login_service_pb2_grpc
from ostiary.flow.v1 import registration_service_pb2, registration_service_pb2_grpc
from ostiary.session.v1 import session_service_pb2, session_service_pb2_grpc

address, email = sys.argv[1], sys.argv[2]
password = "correct horse battery"

with grpc.insecure_channel(address) as channel:
    registration = registration_service_pb2_grpc.RegistrationServiceStub(channel)
    login = login_service_pb2_grpc.LoginServiceStub(channel)
    sessions = session_service_pb2_grpc.SessionServiceStub(channel)

    traits = struct_pb2.Struct()
    traits.update({"email": email})
    flow = registration.CreateRegistrationFlow(
        registration_service_pb2.CreateRegistrationFlowRequest(client=flow_pb2.CLIENT_KIND_NATIVE)
    ).flow
    registered = registration.SubmitRegistrationFlow(
        registration_service_pb2.SubmitRegistrationFlowRequest(
            flow_id=flow.id,
            traits=traits,
            password=registration_service_pb2.RegistrationPasswordStep(password=password),
        )
    )
    assert registered.WhichOneof("outcome") == "completed", registered

    flow = login.CreateLoginFlow(login_service_pb2.CreateLoginFlowRequest(client=flow_pb2.CLIENT_KIND_NATIVE)).flow
    logged_in = login.SubmitLoginFlow(
        login_service_pb2.SubmitLoginFlowRequest(
            flow_id=flow.id, identifier=email, password=login_service_pb2.LoginPasswordStep(password=password)
        )
    )
    token = logged_in.completed.signed_in.session_token
    checked = sessions.CheckSession(session_service_pb2.CheckSessionRequest(token=token))
    assert checked.session.identity_id == registered.completed.signed_in.identity.id

    current = sessions.GetCurrentSession(
        session_service_pb2.GetCurrentSessionRequest(), metadata=[("authorization", f"Bearer {token}")]
    )
    assert current.session.id == checked.session.id

    try:
        sessions.CheckSession(session_service_pb2.CheckSessionRequest(token="nonsense"))
        raise AssertionError("a malformed token was accepted")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error
        details = dict(error.trailing_metadata())["grpc-status-details-bin"]
        assert b"SESSION_TOKEN_MALFORMED" in details, details

print("the journey is complete")
