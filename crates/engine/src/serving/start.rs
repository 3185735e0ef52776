//! Making a surface from the engine's options.

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;

use super::core::Core;
use super::rates::Rates;
use super::surface::{Auth, Background, Bounds, Flags, Following, Live, Surface, SurfaceLimits};
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
    /// A surface in front of `core`; [`Surface::start`] sets it going.
    ///
    /// # Errors
    /// [`SurfaceError`].
    pub async fn new(
        core: Arc<Core>,
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
        let notifies = feed::database_notifies(core.pool()).await?;
        let actions = Worker::new(core.pool().clone(), outbound.clone());
        let schedules = schedule::Worker::new(core.pool().clone(), outbound.clone(), options.schedules.clone());
        Ok(Arc::new(Self {
            auth: Auth {
                authenticator: Authenticator::new(secrets, verifiers, options.unauthorized_role.clone()),
                admission: options.admission.clone(),
            },
            live: Live {
                queries: Hub::new(feed.clone(), options.live_queries.clone()),
                results: Hub::new(feed.clone(), options.live_queries.clone()),
                feed,
                notifies,
            },
            background: Background { deliverer: Mutex::new(None), actions, schedules },
            metadata: Following {
                changes: tokio::sync::Mutex::new(()),
                faults: ArcSwap::from_pointee(Vec::new()),
                versions: tokio::sync::watch::channel(core.current().resource_version).0,
                holds: AtomicUsize::new(0),
                owed: AtomicBool::new(false),
            },
            limits: Bounds {
                rates: Rates::new(options.client_address_header.clone(), options.operation_rates.clone())
                    .knowing_devices_by(options.client_device_header.clone()),
                turns: Turns::new(options.turns),
                sizes: SurfaceLimits {
                    batch: options.limits.batch,
                    readmission: options.readmission,
                    ..SurfaceLimits::default()
                },
            },
            options: Flags {
                dev_mode: options.dev_mode,
                allow_list: options.allow_list,
                remote_schema_permissions: options.remote_schema_permissions,
                infer_function_permissions: options.infer_function_permissions,
            },
            core,
            callers: Arc::new(outbound.clone()),
            outbound,
            wording: options.wording.clone(),
        }))
    }
}

fn verifier(config: &serde_json::Value, outbound: &Outbound) -> Result<JwtVerifier, SurfaceError> {
    let config: JwtConfig = serde_path_to_error::deserialize(config)
        .map_err(|error| SurfaceError::JwtSecret(format!("{} is missing or malformed", error.path())))?;
    Ok(JwtVerifier::new(config, outbound.following.clone())?)
}
