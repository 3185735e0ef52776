//! Where an application's objects are, and what tells them apart.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config;
use crate::domain::workload::Workload;

/// Label of what is ours.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "northstack");
/// Label key with the application's id.
pub const APPLICATION: &str = "northstack.dev/application";
/// Label key with the number of the revision that an object belongs to.
pub const REVISION: &str = "northstack.dev/revision";
/// Label key with the colour of a Deployment and its pods.
pub const COLOUR: &str = "northstack.dev/colour";
/// Label key that tells a canary from the stable pods.
pub const TRACK: &str = "northstack.dev/track";
/// Label key of a namespace with the project's id.
pub const PROJECT: &str = "northstack.dev/project";
/// Label key of a namespace with the environment.
pub const ENVIRONMENT: &str = "northstack.dev/environment";
/// Annotation key of a pod template with the operation that restarted it.
pub const RESTARTED: &str = "northstack.dev/restarted-by";
/// Annotation key of a Secret with a digest of the versions that it holds the values of.
pub const SECRET_VERSIONS: &str = "northstack.dev/secret-versions";
/// The container of every pod.
pub const CONTAINER: &str = "app";

/// An application's place in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub application: Uuid,
    pub project: Uuid,
    pub environment: String,
    pub namespace: String,
    /// The name that its objects have or begin with; that of its Service.
    pub workload: String,
}

impl Target {
    /// The name of the ConfigMap and of the Secret of a revision.
    pub fn configuration(&self, revision: i32) -> String {
        format!("{}-env-{revision}", self.workload)
    }

    /// The host name of its address outside the cluster; none for what is not public.
    pub fn host(&self, settings: &config::Applications, workload: &Workload) -> Option<String> {
        if !workload.settings.public {
            return None;
        }
        workload.settings.host.clone().or_else(|| {
            let id = self.application.simple().to_string();
            Some(format!("{}-{}.{}", self.workload, id.get(..10).unwrap_or(&id), settings.base_domain))
        })
    }

    /// Its address outside the cluster; none for what is not public.
    pub fn url(&self, settings: &config::Applications, workload: &Workload) -> Option<String> {
        let port = settings.public_port.map(|port| format!(":{port}")).unwrap_or_default();
        self.host(settings, workload).map(|host| format!("{}://{host}{port}", settings.scheme))
    }

    /// The Service of a colour that does not serve yet.
    pub fn preview(&self) -> String {
        format!("{}-preview", self.workload)
    }

    /// Selects all of the application's objects.
    pub fn selector(&self) -> String {
        format!("{APPLICATION}={}", self.application)
    }
}

/// One of the two places that a stable Deployment may have, so that a new one can stand beside the old one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// The first.
    #[default]
    Blue,
    /// The other.
    Green,
}

impl Colour {
    /// The word, as in labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Green => "green",
        }
    }
}

/// A Deployment of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The one of a colour.
    Stable(Colour),
    /// The canary beside the one of a colour.
    Canary(Colour),
}

impl Slot {
    /// The colour of its pods.
    pub fn colour(self) -> Colour {
        match self {
            Self::Stable(colour) | Self::Canary(colour) => colour,
        }
    }

    /// The word that tells it from the other of the same colour.
    pub fn track(self) -> &'static str {
        match self {
            Self::Stable(_) => "stable",
            Self::Canary(_) => "canary",
        }
    }

    /// The Deployment's name.
    pub fn name(self, target: &Target) -> String {
        match self {
            Self::Stable(Colour::Blue) => target.workload.clone(),
            Self::Stable(Colour::Green) => format!("{}-green", target.workload),
            Self::Canary(_) => format!("{}-canary", target.workload),
        }
    }

    /// Selects its pods, of one revision or of all.
    pub fn selector(self, target: &Target, revision: Option<i32>) -> String {
        let revision = revision.map(|number| format!(",{REVISION}={number}")).unwrap_or_default();
        let (colour, track) = (self.colour().as_str(), self.track());
        format!("{},{COLOUR}={colour},{TRACK}={track}{revision}", target.selector())
    }
}
