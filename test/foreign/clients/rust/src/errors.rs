//! Reads what an error of Ostiary carries beside its code. Copy it.

use prost::Message;
use tonic::Status;
use tonic_types::StatusExt;

use crate::ostiary::error::v1::{ErrorReason, UserMessage};

/// Why a call was refused. `None` if the error is not Ostiary's, or newer than the stubs.
pub fn reason_of(status: &Status) -> Option<ErrorReason> {
    let info = status.get_details_error_info()?;
    if info.domain != "ostiary" {
        return None;
    }
    ErrorReason::from_str_name(&format!("ERROR_REASON_{}", info.reason))
}

/// What to tell the person who uses the client. `None` where only a developer can help.
pub fn user_message_of(status: &Status) -> Option<UserMessage> {
    let details = tonic_types::Status::decode(status.details()).ok()?.details;
    details.iter().find_map(|detail| detail.to_msg().ok())
}
