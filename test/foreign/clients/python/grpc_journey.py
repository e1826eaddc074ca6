"""The main journey with grpcio and Google's Protobuf. Arguments: the host and port of the public listener, an e-mail."""

import sys

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from ostiary.error.v1 import error_detail_pb2, error_reason_pb2
from ostiary.flow.v1 import flow_pb2, flow_service_pb2, flow_service_pb2_grpc
from ostiary.flow.v1 import login_service_pb2, login_service_pb2_grpc, outcome_pb2
from ostiary.flow.v1 import registration_service_pb2, registration_service_pb2_grpc
from ostiary.option.v1 import demand_pb2
from ostiary.session.v1 import session_service_pb2, session_service_pb2_grpc

PASSWORD = "correct horse battery"


def reason_of(error):
    """Why a call was refused, as an ErrorReason; 0 if the error is not Ostiary's, or newer than the stubs."""
    info = detail_of(error, error_details_pb2.ErrorInfo)
    if info is None or info.domain != "ostiary":
        return error_reason_pb2.ERROR_REASON_UNSPECIFIED
    return dict(error_reason_pb2.ErrorReason.items()).get(f"ERROR_REASON_{info.reason}", 0)


def detail_of(error, kind):
    """One of the details that an error carries, or None: ErrorInfo, UserMessage, …"""
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        message = kind()
        if detail.Unpack(message):
            return message
    return None


def register(channel, email):
    """Makes an account by the typed service, and gives the identity's id."""
    registration = registration_service_pb2_grpc.RegistrationServiceStub(channel)
    begun = registration.CreateRegistrationFlow(
        registration_service_pb2.CreateRegistrationFlowRequest(client=flow_pb2.CLIENT_KIND_NATIVE)
    )
    answer = registration.SubmitRegistrationFlow(
        registration_service_pb2.SubmitRegistrationFlowRequest(
            flow_id=begun.flow.id,
            traits={"email": email},
            password=registration_service_pb2.RegistrationPasswordStep(password=PASSWORD),
        )
    )
    assert answer.WhichOneof("outcome") == "completed", answer
    return answer.completed.signed_in.identity.id


def log_in(channel, email):
    """Signs in, first with a wrong password, then by sending the form that is to be drawn now."""
    login = login_service_pb2_grpc.LoginServiceStub(channel)
    begun = login.CreateLoginFlow(login_service_pb2.CreateLoginFlowRequest(client=flow_pb2.CLIENT_KIND_NATIVE))
    tried = login.SubmitLoginFlow(
        login_service_pb2.SubmitLoginFlowRequest(
            flow_id=begun.flow.id,
            identifier=email,
            password=login_service_pb2.LoginPasswordStep(password="wrong horse"),
        )
    )
    assert tried.rejected.reason == outcome_pb2.REJECTION_REASON_CREDENTIALS_INVALID, tried

    form = flow_service_pb2.SubmitFormRequest(flow_id=tried.flow.id, step="password")
    form.values["identifier"].string_value = email
    form.values["password.password"].string_value = PASSWORD
    answer = flow_service_pb2_grpc.FlowServiceStub(channel).SubmitForm(form)
    assert answer.WhichOneof("outcome") == "completed", answer
    return answer.completed.signed_in.session_token


def check(channel, token, owner):
    """Looks at the session as a service does that was sent its token, and at what is refused."""
    sessions = session_service_pb2_grpc.SessionServiceStub(channel)
    recent = demand_pb2.Freshness(freshness_class=demand_pb2.FRESHNESS_CLASS_PRIVILEGED)
    checked = sessions.CheckSession(
        session_service_pb2.CheckSessionRequest(
            token=token,
            demands=[
                demand_pb2.Demand(assurance_level=demand_pb2.ASSURANCE_LEVEL_AAL1),
                demand_pb2.Demand(freshness=recent),
            ],
            view=session_service_pb2.SESSION_VIEW_FULL,
        )
    )
    assert checked.identity.id == owner, checked

    current = sessions.GetCurrentSession(
        session_service_pb2.GetCurrentSessionRequest(), metadata=[("authorization", f"Bearer {token}")]
    )
    assert current.session.id == checked.session.id, current

    two_factors = demand_pb2.Demand(assurance_level=demand_pb2.ASSURANCE_LEVEL_AAL2)
    try:
        sessions.CheckSession(session_service_pb2.CheckSessionRequest(token=token, demands=[two_factors]))
        raise AssertionError("one factor was taken for two")
    except grpc.RpcError as error:
        assert reason_of(error) == error_reason_pb2.ERROR_REASON_SESSION_ASSURANCE_TOO_LOW, error
        message = detail_of(error, error_detail_pb2.UserMessage)
        assert message.id == 9000517 and message.text, message


def main(address, email):
    with grpc.insecure_channel(address) as channel:
        owner = register(channel, email)
        check(channel, log_in(channel, email), owner)
    print("the journey is complete")


if __name__ == "__main__":
    main(*sys.argv[1:])
