//! What people do: retry, cancel, log out. Only by a form of ours, and only who may.

use super::{Call, entry};
use crate::fields::Fields;
use crate::respond::{self, Refusal};
use crate::route::Route;
use crate::session::same_secret;
use crate::source::Role;
use ci::RunId;
use http::Response;
use hyper::body::Body as HttpBody;
use net::Body;

impl Call<'_> {
    pub(super) async fn act<B>(&self, route: Route, body: B) -> Result<Response<Body>, Refusal>
    where
        B: HttpBody + Send + Unpin,
        B::Data: Send,
    {
        let form = entry::form(body).await?;
        if !form.get("token").is_some_and(|token| same_secret(token, &self.session.form_token)) {
            return Err(Refusal::Forbidden("this form is not of a page that was sent to you"));
        }
        match route {
            Route::Retry(id) => self.retry(id, &form).await,
            Route::Cancel(id) => self.cancel(id).await,
            _ => Ok(self.inner.log_out(self.head)),
        }
    }

    async fn retry(&self, id: RunId, form: &Fields) -> Result<Response<Body>, Refusal> {
        self.may_operate()?;
        let new = self.inner.source.retry(id, form.get("from"), &self.session.user).await?;
        Ok(respond::see(&format!("/runs/{new}")))
    }

    async fn cancel(&self, id: RunId) -> Result<Response<Body>, Refusal> {
        self.may_operate()?;
        self.inner.source.cancel(id, &self.session.user).await?;
        Ok(respond::see(&format!("/runs/{id}")))
    }

    fn may_operate(&self) -> Result<(), Refusal> {
        match self.session.user.role {
            Role::Operator => Ok(()),
            Role::Reader => Err(Refusal::Forbidden("your token may look, and not retry or cancel")),
        }
    }
}
