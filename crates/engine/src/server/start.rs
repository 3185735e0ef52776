//! Making a surface from the engine's options.

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;

use super::backend::Backend;
use super::rates::Rates;
use super::surface::{Surface, SurfaceLimits};
use super::turns::Turns;
use crate::actions::Worker;
use crate::auth::{Authenticator, JwtConfig, JwtConfigError, JwtVerifier};
use crate::options::EngineOptions;
use crate::outbound::Outbound;
use crate::schedule;
use crate::subscriptions::Hub;
use crate::subscriptions::feed::{self, ChangeFeed};

/// Why a surface cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SurfaceError {
    /// The JWT configuration is no object of the known members.
    #[error("jwt secret: {0}")]
    JwtSecret(String),
    /// A member of the JWT configuration is wrong.
    #[error(transparent)]
    Jwt(#[from] JwtConfigError),
    /// No HTTP client.
    #[error("cannot make an HTTP client")]
    Http(#[from] reqwest::Error),
    /// The database.
    #[error("cannot ask the database")]
    Database(#[from] sqlx::Error),
}

impl Surface {
    /// A surface in front of `backend`; [`Surface::start`] sets it going.
    ///
    /// # Errors
    /// [`SurfaceError`].
    pub async fn new(
        backend: Arc<dyn Backend>,
        outbound: Outbound,
        feed: ChangeFeed,
        options: &EngineOptions,
    ) -> Result<Arc<Self>, SurfaceError> {
        let verifiers = match &options.jwt_secret {
            None => Vec::new(),
            Some(serde_json::Value::Array(several)) => {
                several.iter().map(|one| verifier(one, &outbound)).collect::<Result<_, _>>()?
            }
            Some(one) => vec![verifier(one, &outbound)?],
        };
        let secrets = [&options.admin_secret, &options.previous_admin_secret].into_iter().flatten();
        let secrets = secrets.map(|secret| secrecy::ExposeSecret::expose_secret(secret).to_owned());
        let notifies = feed::database_notifies(backend.pool()).await?;
        let actions = Worker::new(backend.pool().clone(), outbound.clone());
        let schedules = schedule::Worker::new(backend.pool().clone(), outbound.clone(), options.schedules.clone());
        Ok(Arc::new(Self {
            hub: Hub::new(feed.clone(), options.live_queries.clone()),
            result_hub: Hub::new(feed.clone(), options.live_queries.clone()),
            versions: tokio::sync::watch::channel(backend.current().resource_version).0,
            holds: AtomicUsize::new(0),
            owed: AtomicBool::new(false),
            backend,
            authenticator: Authenticator::new(secrets, verifiers, options.unauthorized_role.clone()),
            feed,
            notifies,
            deliverer: Mutex::new(None),
            actions,
            schedules,
            changes: tokio::sync::Mutex::new(()),
            faults: ArcSwap::from_pointee(Vec::new()),
            rates: Rates::new(options.client_address_header.clone(), options.operation_rates.clone())
                .knowing_devices_by(options.client_device_header.clone()),
            turns: Turns::new(options.turns),
            admission: options.admission.clone(),
            wording: options.wording.clone(),
            callers: Arc::new(outbound.clone()),
            outbound,
            dev_mode: options.dev_mode,
            allow_list: options.allow_list,
            remote_schema_permissions: options.remote_schema_permissions,
            infer_function_permissions: options.infer_function_permissions,
            limits: SurfaceLimits {
                batch: options.limits.batch,
                readmission: options.readmission,
                ..SurfaceLimits::default()
            },
        }))
    }
}

fn verifier(config: &serde_json::Value, outbound: &Outbound) -> Result<JwtVerifier, SurfaceError> {
    let config: JwtConfig = serde_path_to_error::deserialize(config)
        .map_err(|error| SurfaceError::JwtSecret(format!("{} is missing or malformed", error.path())))?;
    Ok(JwtVerifier::new(config, outbound.following.clone())?)
}
