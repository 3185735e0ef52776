//! Addresses and node ports of Services, from the ranges of the simulated cluster.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::kubernetes::json::{at, default, int, items_mut, list, object, set, text};
use crate::kubernetes::kinds::{self, KindId};
use crate::kubernetes::status::{ApiError, ApiResult, Cause};
use crate::kubernetes::storage::State;

const RANGE: [u8; 2] = [10, 96];
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;

/// Gives a Service what it lacks of addresses and node ports. Other kinds pass.
pub(super) fn allocate(state: &State, kind: KindId, name: &str, value: &mut Value) -> ApiResult<()> {
    if kind != kinds::SERVICES {
        return Ok(());
    }
    let service_type = text(value, "/spec/type").to_owned();
    if service_type == "ExternalName" {
        return Ok(());
    }
    let uid = text(value, "/metadata/uid").to_owned();
    let others: Vec<&Value> = state
        .list(kinds::SERVICES, "")
        .map(|(_, service)| service.as_ref())
        .filter(|service| text(service, "/metadata/uid") != uid)
        .collect();
    let address = text(value, "/spec/clusterIP").to_owned();
    let taken: HashSet<&str> = others.iter().map(|service| text(service, "/spec/clusterIP")).collect();
    if address.is_empty() {
        let free = free_address(&taken);
        set_address(value, &free);
    } else {
        check_address(name, &address, &taken)?;
        set_address(value, &address);
    }
    let spec = object(value, &["spec"]);
    default(spec, "ipFamilies", json!(["IPv4"]));
    default(spec, "ipFamilyPolicy", "SingleStack");
    if matches!(service_type.as_str(), "NodePort" | "LoadBalancer") {
        node_ports(name, &others, value)?;
    }
    Ok(())
}

fn set_address(value: &mut Value, address: &str) {
    set(value, &["spec", "clusterIP"], address);
    set(value, &["spec", "clusterIPs"], json!([address]));
}

fn free_address(taken: &HashSet<&str>) -> String {
    loop {
        let bytes = *uuid::Uuid::new_v4().as_bytes();
        let address = Ipv4Addr::new(RANGE[0], RANGE[1], bytes[0], bytes[1].clamp(2, 254)).to_string();
        if !taken.contains(address.as_str()) {
            return address;
        }
    }
}

fn check_address(name: &str, address: &str, taken: &HashSet<&str>) -> ApiResult<()> {
    if address == "None" {
        return Ok(());
    }
    let inside = address.parse::<Ipv4Addr>().is_ok_and(|ip| ip.octets()[..2] == RANGE);
    let detail = if !inside {
        format!("failed to allocate IP {address}: the provided network does not match the current range")
    } else if taken.contains(address) {
        format!("failed to allocate IP {address}: provided IP is already allocated")
    } else {
        return Ok(());
    };
    let cause = Cause::invalid("spec.clusterIPs", &json!([address]), detail);
    Err(ApiError::invalid(&kinds::SERVICES, name, vec![cause]))
}

fn node_ports(name: &str, others: &[&Value], value: &mut Value) -> ApiResult<()> {
    let taken: HashSet<i64> = others
        .iter()
        .flat_map(|service| list(service, "/spec/ports"))
        .filter_map(|port| int(port, "/nodePort"))
        .collect();
    let Some(spec) = value.get_mut("spec") else { return Ok(()) };
    let mut next = *NODE_PORTS.start();
    let mut mine = HashSet::new();
    for (index, port) in items_mut(spec, "ports").iter_mut().enumerate() {
        match at(port, "/nodePort").as_i64().filter(|number| *number != 0) {
            Some(number) if !NODE_PORTS.contains(&number) => {
                let cause = Cause::invalid(
                    format!("spec.ports[{index}].nodePort"),
                    &json!(number),
                    "provided port is not in the valid range. The range of valid ports is 30000-32767",
                );
                return Err(ApiError::invalid(&kinds::SERVICES, name, vec![cause]));
            }
            Some(number) => {
                mine.insert(number);
            }
            None => {
                while taken.contains(&next) || mine.contains(&next) {
                    next += 1;
                }
                mine.insert(next);
                set(port, &["nodePort"], next);
            }
        }
    }
    Ok(())
}
