//! From a container to its site: the files on its disk and the database behind its variables.

use std::collections::BTreeMap;

use serde_json::Value;

use super::is_mysql;
use super::site::{Files, Site as Tables};
use super::start::{HTML, MYSQL};
use crate::kubernetes::exec::Place;
use crate::kubernetes::json::{int, list, map, matches, text};
use crate::kubernetes::kinds;
use crate::kubernetes::network::reaches;
use crate::kubernetes::storage::State;

/// Why there is no site to work on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Failure {
    /// No WordPress files on the disk.
    NoFiles,
    /// The database at that address does not answer, or refuses the credentials.
    NoDatabase { address: String },
}

/// A site that can be read and written.
pub(crate) struct Site {
    pub(crate) files: Files,
    pub(crate) files_disk: String,
    database_disk: String,
    prefix: String,
    /// The site's tables; `None` until it is installed.
    pub(crate) tables: Option<Tables>,
}

impl Site {
    /// Writes files and tables back.
    pub(crate) fn save(self, state: &mut State) {
        let mut disk = state.volume(&self.files_disk).cloned().unwrap_or_default();
        if disk.files.as_ref() != Some(&self.files) {
            disk.files = Some(self.files);
            state.set_volume(&self.files_disk, disk);
        }
        let mut disk = state.volume(&self.database_disk).cloned().unwrap_or_default();
        if let (Some(database), Some(tables)) = (&mut disk.database, self.tables)
            && database.sites.get(&self.prefix) != Some(&tables)
        {
            database.sites.insert(self.prefix, tables);
            state.set_volume(&self.database_disk, disk);
        }
    }
}

/// Opens the site of a container by its variables.
pub(crate) fn open(state: &State, place: &Place<'_>, env: &BTreeMap<String, String>) -> Result<Site, Failure> {
    let files_disk = place.disk(state, HTML);
    let Some(files) = state.volume(&files_disk).and_then(|volume| volume.files.clone()) else {
        return Err(Failure::NoFiles);
    };
    let get = |name: &str, default: &str| env.get(name).cloned().unwrap_or_else(|| default.to_owned());
    let address = get("WORDPRESS_DB_HOST", "mysql");
    let none = || Failure::NoDatabase { address: address.clone() };
    let database_disk = server(state, place, &address).ok_or_else(none)?;
    let database = state.volume(&database_disk).and_then(|volume| volume.database.as_ref()).ok_or_else(none)?;
    let (user, password) =
        (get("WORDPRESS_DB_USER", "example username"), get("WORDPRESS_DB_PASSWORD", "example password"));
    let name = get("WORDPRESS_DB_NAME", "wordpress");
    let admitted = (user == "root" && password == database.root_password)
        || (user == database.user && !user.is_empty() && password == database.password);
    if !admitted || name != database.name {
        return Err(none());
    }
    let prefix = get("WORDPRESS_TABLE_PREFIX", "wp_");
    let tables = database.sites.get(&prefix).cloned();
    Ok(Site { files, files_disk, database_disk, prefix, tables })
}

/// The disk of the ready MySQL server at an address such as `mysql-service:3306`, if a container reaches it.
pub(super) fn server(state: &State, place: &Place<'_>, address: &str) -> Option<String> {
    let own = place.namespace;
    let (host, port) = address.split_once(':').unwrap_or((address, "3306"));
    let mut labels = host.split('.');
    let name = labels.next()?;
    let namespace = labels.next().unwrap_or(own);
    let service = state.find(kinds::SERVICES, namespace, name)?;
    let served = list(service, "/spec/ports")
        .iter()
        .any(|known| int(known, "/port").map(|n| n.to_string()).as_deref() == Some(port));
    if !served {
        return None;
    }
    let selector = map(service, "/spec/selector");
    state
        .list(kinds::PODS, namespace)
        .filter(|(_, pod)| matches(selector, map(pod, "/metadata/labels")) && ready(pod))
        .filter(|(_, pod)| reaches(state, (own, place.pod), (namespace, pod), 3306))
        .find_map(|(_, pod)| {
            let container = list(pod, "/spec/containers").iter().find(|one| is_mysql(text(one, "/image")))?;
            Some(Place { namespace, pod, container }.disk(state, MYSQL)).filter(|disk| {
                let volume = state.volume(disk);
                volume.and_then(|volume| volume.database.as_ref()).is_none_or(|database| !database.temporary)
            })
        })
}

fn ready(pod: &Value) -> bool {
    list(pod, "/status/conditions")
        .iter()
        .any(|condition| text(condition, "/type") == "Ready" && text(condition, "/status") == "True")
}
