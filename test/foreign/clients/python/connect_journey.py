"""The main journey with Connect for Python, over each of its protocols. Arguments: the URL of the public listener, an e-mail
for each protocol."""

import sys

import pyqwest
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType
from protobuf import Oneof
from protobuf.wkt import Struct, Value

from gen.google.rpc.error_details_pb import ErrorInfo
from gen.ostiary.error.v1.error_detail_pb import UserMessage
from gen.ostiary.error.v1.error_reason_pb import ErrorReason
from gen.ostiary.flow.v1.flow_pb import ClientKind
from gen.ostiary.flow.v1.flow_service_connect import FlowServiceClientSync
from gen.ostiary.flow.v1.flow_service_pb import SubmitFormRequest
from gen.ostiary.flow.v1.login_service_connect import LoginServiceClientSync
from gen.ostiary.flow.v1.login_service_pb import CreateLoginFlowRequest, LoginPasswordStep, SubmitLoginFlowRequest
from gen.ostiary.flow.v1.outcome_pb import RejectionReason
from gen.ostiary.flow.v1.registration_service_connect import RegistrationServiceClientSync
from gen.ostiary.flow.v1.registration_service_pb import (
    CreateRegistrationFlowRequest,
    RegistrationPasswordStep,
    SubmitRegistrationFlowRequest,
)
from gen.ostiary.option.v1.demand_pb import AssuranceLevel, Demand, Freshness, FreshnessClass
from gen.ostiary.session.v1.session_service_connect import SessionServiceClientSync
from gen.ostiary.session.v1.session_service_pb import CheckSessionRequest, GetCurrentSessionRequest, SessionView

PASSWORD = "correct horse battery"


def reason_of(error):
    """Why a call was refused; UNSPECIFIED if the error is not Ostiary's, or newer than the stubs."""
    info = detail_of(error, ErrorInfo)
    if info is None or info.domain != "ostiary":
        return ErrorReason.UNSPECIFIED
    return getattr(ErrorReason, info.reason, ErrorReason.UNSPECIFIED)


def detail_of(error, kind):
    """One of the details that an error carries, or None: ErrorInfo, UserMessage, …"""
    name = kind.desc().type_name
    return next((detail.value(kind) for detail in error.details if detail.type_name == name), None)


def register(url, email, options):
    """Makes an account by the typed service, and gives the identity's id."""
    with RegistrationServiceClientSync(url, **options) as registration:
        begun = registration.create_registration_flow(CreateRegistrationFlowRequest(client=ClientKind.NATIVE))
        answer = registration.submit_registration_flow(
            SubmitRegistrationFlowRequest(
                flow_id=begun.flow.id,
                traits=Struct.from_python({"email": email}),
                step=Oneof("password", RegistrationPasswordStep(password=PASSWORD)),
            )
        )
    match answer.outcome:
        case Oneof(field="completed", value=completed):
            return completed.signed_in.identity.id
        case other:
            raise AssertionError(other)


def log_in(url, email, options):
    """Signs in, first with a wrong password, then by sending the form that is to be drawn now."""
    with LoginServiceClientSync(url, **options) as login:
        begun = login.create_login_flow(CreateLoginFlowRequest(client=ClientKind.NATIVE))
        tried = login.submit_login_flow(
            SubmitLoginFlowRequest(
                flow_id=begun.flow.id,
                identifier=email,
                step=Oneof("password", LoginPasswordStep(password="wrong horse")),
            )
        )
    match tried.outcome:
        case Oneof(field="rejected", value=rejected):
            assert rejected.reason == RejectionReason.CREDENTIALS_INVALID, rejected
        case other:
            raise AssertionError(other)

    typed = {"identifier": email, "password.password": PASSWORD}
    values = {name: Value.from_python(text) for name, text in typed.items()}
    with FlowServiceClientSync(url, **options) as forms:
        answer = forms.submit_form(SubmitFormRequest(flow_id=tried.flow.id, step="password", values=values))
    match answer.outcome:
        case Oneof(field="completed", value=completed):
            return completed.signed_in.session_token
        case other:
            raise AssertionError(other)


def check(url, token, owner, options):
    """Looks at the session as a service does that was sent its token, and at what is refused."""
    recent = Freshness(within=Oneof("freshness_class", FreshnessClass.PRIVILEGED))
    demands = [Demand(demand=Oneof("assurance_level", AssuranceLevel.AAL1)), Demand(demand=Oneof("freshness", recent))]
    with SessionServiceClientSync(url, **options) as sessions:
        checked = sessions.check_session(CheckSessionRequest(token=token, demands=demands, view=SessionView.FULL))
        assert checked.identity.id == owner, checked

        bearer = {"authorization": f"Bearer {token}"}
        current = sessions.get_current_session(GetCurrentSessionRequest(), headers=bearer)
        assert current.session.id == checked.session.id, current

        two_factors = Demand(demand=Oneof("assurance_level", AssuranceLevel.AAL2))
        try:
            sessions.check_session(CheckSessionRequest(token=token, demands=[two_factors]))
            raise AssertionError("one factor was taken for two")
        except ConnectError as error:
            assert reason_of(error) == ErrorReason.SESSION_ASSURANCE_TOO_LOW, error
            message = detail_of(error, UserMessage)
            assert message.id == 9000517 and message.text, message


def main(url, *emails):
    # HTTP/2 without TLS, which gRPC needs and the others can use.
    http2 = pyqwest.SyncHTTPTransport(http_version=pyqwest.HTTPVersion.HTTP2)
    for protocol, email in zip(ProtocolType, emails, strict=True):
        options = {"protocol": protocol, "http_client": pyqwest.SyncClient(http2)}
        owner = register(url, email, options)
        check(url, log_in(url, email, options), owner, options)
    print("the journeys are complete")


if __name__ == "__main__":
    main(*sys.argv[1:])
