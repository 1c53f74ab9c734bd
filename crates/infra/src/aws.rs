//! Amazon's services without their SDK: signed requests over our own client, the query protocol in XML, and JSON.

mod caller;
mod credentials;
mod profiles;
mod reading;
mod retry;
mod sign;
mod transport;
mod xml;

pub use base::Secret;
pub use caller::{Caller, Heard, JsonTarget, Pace, RealPace, Service, endpoint};
pub use credentials::{Credentials, Held, Source};
pub use profiles::{Profile, parse as parse_profiles};
pub use reading::failure;
pub(crate) use retry::random;
pub use retry::{Next, Retry};
pub use sign::{Scope, presign, sign};
pub use transport::{Answer, Lost, NetTransport, Request, Transport};
pub use xml::{Node, parse as parse_xml};
