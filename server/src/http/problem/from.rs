//! What each part of the server refuses with, as the API says it.
use super::{CALLED_OFF, Failure, unauthorized};
use crate::{
    domain::rights::{Beyond, Forbidden},
    errors,
    service::{
        StoreError,
        access::TokenError,
        agents::ReportError,
        changes::ChangeError,
        delivery::Denied,
        discovery::AcceptError,
        explain::{BadPacket, ExplainError},
        machines::MachineError,
        oidc::OidcError,
        operations::GoesOn,
        power::PowerError,
        users::UserError,
        webhooks::WebhookError,
    },
};
use axum::http::StatusCode;

/// Where the selector is in what makes a token or a user.
const SELECTOR: &str = "scope.selector";

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { what } => {
                Self::conflict(format!("{what} was changed by somebody else at the same moment"))
            }
            StoreError::Stopped => Self::unavailable("the daemon is stopping"),
            error => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the database failed: {}",
                    errors::chain(&error)
                );
                Self::unavailable("the database does not answer; the server's log says more")
            }
        }
    }
}

impl From<MachineError> for Failure {
    fn from(error: MachineError) -> Self {
        match error {
            MachineError::Store(error) => error.into(),
            MachineError::NotFound(_) | MachineError::NoBmc(_) => Self::not_found(error.to_string()),
            MachineError::TooMany => Self::unavailable(error.to_string()),
            MachineError::NoPower(..) => Self::new(
                StatusCode::CONFLICT,
                "not-switchable",
                "The machine cannot be switched like that",
                error.to_string(),
            ),
            MachineError::NameTaken(_) => Self::new(
                StatusCode::CONFLICT,
                "conflict",
                "There is something of that name",
                error.to_string(),
            ),
            MachineError::Refused(_) | MachineError::NoProfile(_) => Self::new(
                StatusCode::CONFLICT,
                "refused",
                "The machine's stage does not allow that",
                error.to_string(),
            ),
        }
    }
}

impl From<AcceptError> for Failure {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Machine(error) => error.into(),
            AcceptError::Forbidden(error) => error.into(),
        }
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        let detail = error.to_string();
        match error {
            ChangeError::Store(error) => error.into(),
            ChangeError::Machine(error) => error.into(),
            ChangeError::Forbidden(error) => error.into(),
            ChangeError::Beyond(error) => error.into(),
            ChangeError::NotYours { .. } => Self::forbidden(detail),
            ChangeError::Mistakes(errors) => Self::mistakes(detail, errors),
            ChangeError::NotFound(..) => Self::not_found(detail),
            ChangeError::Changed(..) => Self::precondition(detail),
            ChangeError::CalledOff(_) => Self::new(StatusCode::CONFLICT, "called-off", CALLED_OFF, detail),
            ChangeError::NoSource => Self::bad_request(detail),
            ChangeError::Guard(_) => Self::new(
                StatusCode::CONFLICT,
                "guard",
                "More machines than may be without saying so",
                detail,
            ),
            ChangeError::NotThePlan { .. } => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "plan-differs",
                "It is not the plan that you saw",
                detail,
            ),
            ChangeError::Needed(..) => Self::new(StatusCode::CONFLICT, "needed", "Others need it", detail),
        }
    }
}

impl From<GoesOn> for Failure {
    fn from(error: GoesOn) -> Self {
        match error {
            GoesOn::Unknown(_) => Self::not_found(error.to_string()),
            GoesOn::Ended(_) | GoesOn::TooLate(_) => Self::conflict(error.to_string()),
        }
    }
}

impl From<WebhookError> for Failure {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Store(error) => error.into(),
            WebhookError::NoWebhook(_) | WebhookError::NoDelivery(..) => Self::not_found(error.to_string()),
        }
    }
}

impl From<PowerError> for Failure {
    fn from(error: PowerError) -> Self {
        match error {
            PowerError::Machine(error) => error.into(),
            PowerError::Bmc { .. } => Self::new(
                StatusCode::BAD_GATEWAY,
                "bmc-failed",
                "The machine's BMC did not do it",
                error.to_string(),
            ),
        }
    }
}

impl From<Forbidden> for Failure {
    fn from(error: Forbidden) -> Self {
        Self::forbidden(error.to_string())
    }
}

impl From<Beyond> for Failure {
    fn from(error: Beyond) -> Self {
        Self::forbidden(error.to_string())
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Store(error) => error.into(),
            TokenError::Exists(_) | TokenError::Last(_) => Self::conflict(error.to_string()),
            TokenError::NotFound(_) => Self::not_found(error.to_string()),
            TokenError::TooMany(_) => Self::unavailable(error.to_string()),
            TokenError::Beyond(error) => error.into(),
            TokenError::Name => Self::invalid("name", error.to_string()),
            TokenError::Role(_) => Self::invalid("role", error.to_string()),
            TokenError::Scope(_) => Self::invalid(SELECTOR, error.to_string()),
            TokenError::Expired(_) => Self::invalid("expires", error.to_string()),
        }
    }
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Self {
        let detail = error.to_string();
        match error {
            UserError::Store(error) => error.into(),
            UserError::Rights(error) => error.into(),
            UserError::Exists(_) => Self::conflict(detail),
            UserError::NotFound(_) => Self::not_found(detail),
            UserError::NotLocal(_) => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", "That is not yours to do", detail)
            }
            UserError::Wrong => Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Who are you?", detail),
            UserError::Wait(_) => {
                let title = "Too many attempts failed";
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", title, detail)
            }
            UserError::Busy => Self::unavailable(detail),
            UserError::Name => Self::invalid("name", detail),
            UserError::Scope(_) => Self::invalid(SELECTOR, detail),
            UserError::Password(_) => Self::invalid("password", detail),
        }
    }
}

impl From<OidcError> for Failure {
    fn from(error: OidcError) -> Self {
        let detail = error.to_string();
        match error {
            OidcError::Away(_) | OidcError::Secret(_) => Self::unavailable(detail),
            OidcError::NotConfigured => Self::not_found(detail),
            OidcError::NoRole { .. } | OidcError::NoRule { .. } => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", "That is not yours to do", detail)
            }
            _ => unauthorized(detail),
        }
    }
}

impl From<BadPacket> for Failure {
    fn from(error: BadPacket) -> Self {
        let path = match &error {
            BadPacket::NotHex(_) | BadPacket::NotDhcp(_) => "packet",
            BadPacket::NoSuchSubnet(_) | BadPacket::WhichSubnet(_) => "subnet",
        };
        Self::invalid(path, error.to_string())
    }
}

impl From<ExplainError> for Failure {
    fn from(error: ExplainError) -> Self {
        Self::not_found(error.to_string())
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        let detail = error.to_string();
        match error {
            ReportError::Store(error) => error.into(),
            ReportError::Machine(error) => error.into(),
            ReportError::Unauthorized => unauthorized(detail),
            ReportError::Gone(_) => Self::new(StatusCode::GONE, "gone", "That boot is over", detail),
            ReportError::Facts(_) => Self::mistakes(detail, Vec::new()),
        }
    }
}

impl From<Denied> for Failure {
    fn from(error: Denied) -> Self {
        match error {
            Denied::Store(error) => error.into(),
            // Ignition asks again after a 5xx, and takes anything else as final.
            Denied::NotNow(why) => Self::unavailable(why),
            Denied::Refused(why) => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", "That is not yours to have", why)
            }
        }
    }
}
