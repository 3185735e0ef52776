//! Whether a refusal by a quota passes by itself: pods that are being replaced take room until they are gone.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use k8s_openapi::apimachinery::pkg::api::resource;

use super::Needs;
use super::names::Target;
use crate::domain::Result;
use crate::domain::workload::Quantity;

/// What a refused pod waits for, in words; `None` where nothing that is seen will make room for it. A quota is of the
/// namespace, so the pods of its other applications make room as well.
pub(super) async fn waits_for(needs: &Needs, target: &Target, refusal: &str) -> Result<Option<String>> {
    let Some((quota, requested)) = exceeded(refusal) else { return Ok(None) };
    let pods: Vec<Pod> = needs.kubernetes.list(&target.namespace, "").await?;
    let ending = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_some()).count();
    if ending > 0 {
        let pods = if ending == 1 { "pod that is ending counts" } else { "pods that are ending count" };
        return Ok(Some(format!("{ending} {pods} against the quota until gone")));
    }
    let quota = needs.kubernetes.get::<ResourceQuota>(&target.namespace, quota).await?;
    // The cluster tries again with growing pauses, and keeps the words of the first refusal meanwhile.
    let fits = quota.is_some_and(|quota| fits(&quota, requested));
    Ok(fits.then(|| "the quota has room by now, and the cluster tries again".to_owned()))
}

/// The quota that a refusal names, and what was requested of it, such as `pods=1,requests.cpu=100m`.
fn exceeded(refusal: &str) -> Option<(&str, &str)> {
    let (_, named) = refusal.split_once("exceeded quota: ")?;
    let (quota, rest) = named.split_once(", requested: ")?;
    Some((quota, rest.split_once(", used: ")?.0))
}

fn fits(quota: &ResourceQuota, requested: &str) -> bool {
    let status = quota.status.as_ref();
    let of = |amounts: Option<&BTreeMap<String, resource::Quantity>>, name: &str| milli(&amounts?.get(name)?.0);
    requested.split(',').all(|part| {
        let Some((name, asked)) = part.split_once('=') else { return false };
        let used = of(status.and_then(|status| status.used.as_ref()), name);
        let hard = of(status.and_then(|status| status.hard.as_ref()), name);
        let (Some(asked), Some(used), Some(hard)) = (milli(asked), used, hard) else { return false };
        used + asked <= hard
    })
}

fn milli(text: &str) -> Option<u128> {
    if text == "0" { Some(0) } else { Quantity::parse("amount", text).ok().map(|it| it.milli()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const REFUSAL: &str = "pods \"a-1\" is forbidden: exceeded quota: northstack, requested: pods=1,requests.cpu=250m, \
                           used: pods=3,requests.cpu=1, limited: pods=3,requests.cpu=1";

    #[test]
    fn reads_what_a_quota_was_asked_for() {
        assert_eq!(exceeded(REFUSAL), Some(("northstack", "pods=1,requests.cpu=250m")));
        assert_eq!(exceeded("pods \"a-1\" is forbidden: violates PodSecurity \"restricted:latest\""), None);
    }

    #[test]
    fn tells_whether_it_fits_by_now() {
        let quota = |pods: &str, cpu: &str| {
            let status = json!({ "hard": { "pods": "3", "requests.cpu": "1" },
                "used": { "pods": pods, "requests.cpu": cpu } });
            serde_json::from_value::<ResourceQuota>(json!({ "metadata": {}, "status": status })).expect("quota")
        };
        let (_, requested) = exceeded(REFUSAL).expect("a refusal by a quota");
        assert!(fits(&quota("2", "750m"), requested) && fits(&quota("0", "0"), requested));
        assert!(!fits(&quota("3", "750m"), requested), "no place for a pod");
        assert!(!fits(&quota("2", "751m"), requested), "too little CPU");
        assert!(!fits(&ResourceQuota::default(), requested), "not counted yet");
    }
}
