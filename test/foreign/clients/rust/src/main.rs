//! The main journey with tonic. Arguments: the URL of the public listener, an e-mail.

mod errors;

/// The stubs that build.rs makes.
#[allow(dead_code, clippy::all)]
mod stubs {
    tonic::include_proto!("stubs");
}
use stubs::ostiary;

use std::collections::{BTreeMap, HashMap};
use std::error::Error;

use prost_types::Struct;
use tonic::Request;

use errors::{reason_of, user_message_of};
use ostiary::error::v1::ErrorReason;
use ostiary::flow::v1::flow_service_client::FlowServiceClient;
use ostiary::flow::v1::login_service_client::LoginServiceClient;
use ostiary::flow::v1::registration_service_client::RegistrationServiceClient;
use ostiary::flow::v1::{
    ClientKind, CreateLoginFlowRequest, CreateRegistrationFlowRequest, LoginPasswordStep,
    RegistrationPasswordStep, RejectionReason, SubmitFormRequest, SubmitLoginFlowRequest,
    SubmitRegistrationFlowRequest, submit_form_response, submit_login_flow_request,
    submit_login_flow_response, submit_registration_flow_request, submit_registration_flow_response,
};
use ostiary::option::v1::{AssuranceLevel, Demand, Freshness, FreshnessClass, demand, freshness};
use ostiary::session::v1::session_service_client::SessionServiceClient;
use ostiary::session::v1::{CheckSessionRequest, GetCurrentSessionRequest, SessionView};

const PASSWORD: &str = "correct horse battery";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let [url, email] = std::env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "give the URL and an e-mail")?;
    let owner = register(&url, &email).await?;
    let token = log_in(&url, &email).await?;
    check(&url, &token, &owner).await?;
    println!("the journey is complete");
    Ok(())
}

/// Makes an account by the typed service, and gives the identity's id.
async fn register(url: &str, email: &str) -> Result<String, Box<dyn Error>> {
    let mut registration = RegistrationServiceClient::connect(url.to_owned()).await?;
    let begun = registration
        .create_registration_flow(CreateRegistrationFlowRequest {
            client: ClientKind::Native.into(),
            ..Default::default()
        })
        .await?
        .into_inner();
    let answer = registration
        .submit_registration_flow(SubmitRegistrationFlowRequest {
            flow_id: begun.flow.ok_or("no flow")?.id,
            traits: Some(Struct {
                fields: BTreeMap::from([("email".to_owned(), email.into())]),
            }),
            step: Some(submit_registration_flow_request::Step::Password(RegistrationPasswordStep {
                password: PASSWORD.to_owned(),
            })),
            ..Default::default()
        })
        .await?
        .into_inner();
    match answer.outcome {
        Some(submit_registration_flow_response::Outcome::Completed(completed)) => {
            let identity = completed.signed_in.and_then(|signed_in| signed_in.identity);
            Ok(identity.ok_or("nobody was signed in")?.id)
        }
        other => Err(format!("the registration was {other:?}").into()),
    }
}

/// Signs in, first with a wrong password, then by sending the form that is to be drawn now. Gives the session's token.
async fn log_in(url: &str, email: &str) -> Result<String, Box<dyn Error>> {
    let mut login = LoginServiceClient::connect(url.to_owned()).await?;
    let begun = login
        .create_login_flow(CreateLoginFlowRequest {
            client: ClientKind::Native.into(),
            ..Default::default()
        })
        .await?
        .into_inner();
    let tried = login
        .submit_login_flow(SubmitLoginFlowRequest {
            flow_id: begun.flow.ok_or("no flow")?.id,
            identifier: email.to_owned(),
            step: Some(submit_login_flow_request::Step::Password(LoginPasswordStep {
                password: "wrong horse".to_owned(),
            })),
            ..Default::default()
        })
        .await?
        .into_inner();
    match tried.outcome {
        Some(submit_login_flow_response::Outcome::Rejected(rejected)) => match rejected.reason() {
            RejectionReason::CredentialsInvalid => {}
            other => return Err(format!("rejected because of {}", other.as_str_name()).into()),
        },
        other => return Err(format!("the login was {other:?}").into()),
    }

    let mut forms = FlowServiceClient::connect(url.to_owned()).await?;
    let answer = forms
        .submit_form(SubmitFormRequest {
            // What to draw now, after any outcome.
            flow_id: tried.flow.ok_or("nothing to draw")?.id,
            step: "password".to_owned(),
            values: HashMap::from([
                ("identifier".to_owned(), email.into()),
                ("password.password".to_owned(), PASSWORD.into()),
            ]),
            ..Default::default()
        })
        .await?
        .into_inner();
    match answer.outcome {
        Some(submit_form_response::Outcome::Completed(completed)) => {
            Ok(completed.signed_in.ok_or("nobody was signed in")?.session_token)
        }
        other => Err(format!("the login was {other:?}").into()),
    }
}

/// Looks at the session as a service does that was sent its token, and at what is refused.
async fn check(url: &str, token: &str, owner: &str) -> Result<(), Box<dyn Error>> {
    let mut sessions = SessionServiceClient::connect(url.to_owned()).await?;
    let recent = Demand {
        demand: Some(demand::Demand::Freshness(Freshness {
            within: Some(freshness::Within::FreshnessClass(FreshnessClass::Privileged.into())),
        })),
    };
    let at_least = |level: AssuranceLevel| Demand {
        demand: Some(demand::Demand::AssuranceLevel(level.into())),
    };
    let checked = sessions
        .check_session(CheckSessionRequest {
            token: token.to_owned(),
            demands: vec![at_least(AssuranceLevel::Aal1), recent],
            view: SessionView::Full.into(),
            ..Default::default()
        })
        .await?
        .into_inner();
    assert_eq!(checked.identity.ok_or("no identity")?.id, owner);

    let mut request = Request::new(GetCurrentSessionRequest::default());
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
    let current = sessions.get_current_session(request).await?.into_inner();
    assert_eq!(current.session.map(|session| session.id), checked.session.map(|session| session.id));

    let weak = sessions
        .check_session(CheckSessionRequest {
            token: token.to_owned(),
            demands: vec![at_least(AssuranceLevel::Aal2)],
            ..Default::default()
        })
        .await
        .expect_err("one factor is not two");
    match reason_of(&weak) {
        Some(ErrorReason::SessionAssuranceTooLow) => {}
        other => return Err(format!("refused because of {other:?}: {weak}").into()),
    }
    let message = user_message_of(&weak).ok_or("nothing to tell a person")?;
    assert_eq!((message.id, message.text.is_empty()), (9_000_517, false));
    Ok(())
}
