//! Signing up, in and out, and who one is.

mod limits;
mod register;
mod session;

pub use limits::LoginLimits;
pub use register::NewUser;
pub use session::{Login, Session};

use super::{App, Caller};
use crate::db::users;
use crate::domain::{Code, Error, Result};

/// The person who asks.
#[derive(Debug, Clone)]
pub struct Me {
    /// The user's id.
    pub id: uuid::Uuid,
    /// In lower case.
    pub email: String,
    /// As shown.
    pub name: String,
    /// `user` or `admin`: the role on the platform.
    pub role: String,
}

impl App {
    /// Who the caller is.
    pub async fn me(&self, caller: &Caller) -> Result<Me> {
        let id = caller.require_user()?;
        let user = users::find(self.db.reader(), id).await?;
        let user = user.ok_or_else(|| Error::new(Code::Unauthenticated, "your account no longer exists"))?;
        Ok(Me { id, email: user.email, name: user.name, role: user.platform_role })
    }
}
