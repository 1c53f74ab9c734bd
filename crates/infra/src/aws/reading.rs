//! What a refusal means: status, code and words of a service to a kind of failure.

use super::transport::Answer;
use super::xml;
use crate::failure::{Failure, FailureKind};
use serde_json::Value;

/// Codes that mean one thing at every service ("Common Error Types" in the services' API references).
const CODES: &[(FailureKind, &[&str])] = &[
    (
        FailureKind::Throttled,
        &[
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "RequestLimitExceeded",
            "TooManyRequestsException",
            "SlowDown",
            "PriorRequestNotComplete",
            "BandwidthLimitExceeded",
        ],
    ),
    (
        FailureKind::Server,
        &["InternalFailure", "InternalError", "InternalServerError", "ServiceUnavailable", "ServiceUnavailableException"],
    ),
    (FailureKind::Skewed, &["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"]),
    (FailureKind::Expired, &["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"]),
    (
        FailureKind::Unknown,
        &[
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "IncompleteSignature",
            "MissingAuthenticationToken",
            "AuthFailure",
        ],
    ),
    (
        FailureKind::Denied,
        &[
            "AccessDenied",
            "AccessDeniedException",
            "UnauthorizedOperation",
            "NotAuthorized",
            "OptInRequired",
            "InsufficientCapabilities",
            "InsufficientCapabilitiesException",
        ],
    ),
    (FailureKind::Missing, &["ChangeSetNotFound", "ChangeSetNotFoundException", "ResourceNotFoundException", "StackNotFoundException"]),
    (FailureKind::Exists, &["AlreadyExistsException", "ResourceInUseException"]),
    (
        FailureKind::State,
        &[
            "InvalidChangeSetStatus",
            "InvalidChangeSetStatusException",
            "OperationInProgressException",
            "OperationStatusCheckFailedException",
            "TokenAlreadyExistsException",
        ],
    ),
    (FailureKind::Unsupported, &["InvalidAction", "UnknownOperationException", "NotImplemented", "UnsupportedOperation"]),
];

/// The failure that an answer tells; of an answer of any status but 2xx.
pub fn failure(call: &str, answer: &Answer) -> Failure {
    let (code, message, request_id) = read(answer);
    let kind = kind(answer.status, &code, &message);
    let message = if message.is_empty() { format!("the service answered with status {}", answer.status) } else { message };
    let request_id = if answer.request_id.is_empty() { request_id } else { answer.request_id.clone() };
    Failure { call: call.to_owned(), kind, code, message: clipped(&message), request_id: clipped(&request_id), their_time: answer.date }
}

fn read(answer: &Answer) -> (String, String, String) {
    if let Ok(root) = xml::parse(&answer.body) {
        // `<ErrorResponse><Error>..</Error><RequestId>`; of some services `<Response><Errors><Error>`.
        let error = root.child("Error").or_else(|| root.at(&["Errors", "Error"])).unwrap_or(&root);
        return (error.text_of("Code").to_owned(), error.text_of("Message").to_owned(), root.text_of("RequestId").to_owned());
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let code = text("__type").or_else(|| text("code")).unwrap_or_else(|| answer.error_type.clone());
    // `com.amazonaws.eks#ResourceNotFoundException:http://...`
    let code = code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default().to_owned();
    (code, text("message").or_else(|| text("Message")).unwrap_or_default(), String::new())
}

fn kind(status: u16, code: &str, message: &str) -> FailureKind {
    if let Some((kind, _)) = CODES.iter().find(|(_, codes)| codes.contains(&code)) {
        let skewed = message.contains("Signature expired") || message.contains("Signature not yet current");
        return if *kind == FailureKind::Unknown && skewed { FailureKind::Skewed } else { *kind };
    }
    let says = |words: &str| message.contains(words);
    match (status, code) {
        // CloudFormation names most of its refusals alike; only the words tell them apart.
        (_, "ValidationError" | "ValidationException") if says("does not exist") || says("not found") => FailureKind::Missing,
        (_, "ValidationError" | "ValidationException") if says("already exists") => FailureKind::Exists,
        (_, "ValidationError" | "ValidationException") if says("_IN_PROGRESS") || says("state and can not be") || says("Rate exceeded") => {
            if says("Rate exceeded") {
                FailureKind::Throttled
            } else {
                FailureKind::State
            }
        }
        (429, _) => FailureKind::Throttled,
        (501, _) => FailureKind::Unsupported,
        (500..=599, _) => FailureKind::Server,
        (401, _) => FailureKind::Unknown,
        (403, _) => FailureKind::Denied,
        (404, _) => FailureKind::Missing,
        _ => FailureKind::Invalid,
    }
}

/// Foreign words are kept short.
fn clipped(text: &str) -> String {
    const MOST: usize = 2000;
    if text.chars().count() <= MOST { text.to_owned() } else { text.chars().take(MOST).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Failure {
        failure("X", &Answer { status, body: body.into(), ..Answer::default() })
    }

    #[test]
    fn tells_refusals_apart() {
        let xml = |code: &str, message: &str| {
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>r1</RequestId></ErrorResponse>"
            )
        };
        let rows = [
            (400, xml("Throttling", "Rate exceeded"), FailureKind::Throttled),
            (400, xml("ValidationError", "Stack with id x does not exist"), FailureKind::Missing),
            (400, xml("ValidationError", "Stack:x is in UPDATE_IN_PROGRESS state and can not be updated."), FailureKind::State),
            (400, xml("ValidationError", "Template format error"), FailureKind::Invalid),
            (403, xml("SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier than"), FailureKind::Skewed),
            (403, xml("SignatureDoesNotMatch", "The request signature we calculated"), FailureKind::Unknown),
            (403, xml("ExpiredToken", "The security token included in the request is expired"), FailureKind::Expired),
            (503, String::new(), FailureKind::Server),
            (404, r#"{"message":"No cluster found","__type":"com.amazonaws.eks#ResourceNotFoundException"}"#.into(), FailureKind::Missing),
            (400, r#"{"Message":"slow","code":"TooManyRequestsException"}"#.into(), FailureKind::Throttled),
            (400, "<html>".into(), FailureKind::Invalid),
        ];
        for (status, body, expected) in rows {
            assert_eq!(of(status, &body).kind, expected, "{body}");
        }
        let told = of(400, &xml("AlreadyExistsException", "there")).to_string();
        assert_eq!(told, "X: AlreadyExistsException: there (request r1)");
    }
}
