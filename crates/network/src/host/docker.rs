//! Docker's firewall drops what it does not know when packets are forwarded; its `DOCKER-USER` chain is the place to object.

use crate::config::Config;
use crate::netlink::Socket;
use crate::nft::expression::{Compare, Expressions};
use crate::nft::{self, Batch};
use std::io;

const TABLE: &str = "filter";
const CHAIN: &str = "DOCKER-USER";

/// Whether Docker's chain is here and lacks our rules.
///
/// # Errors
/// What the kernel said.
pub(crate) fn wanted(socket: &mut Socket, config: &Config) -> io::Result<bool> {
    Ok(nft::has_chain(socket, TABLE, CHAIN)? && nft::commented_rules(socket, TABLE, CHAIN, &config.table)?.len() < 2)
}

/// Lets packets of our links pass Docker's chain.
///
/// # Errors
/// What the kernel said.
pub(crate) fn open(socket: &mut Socket, config: &Config) -> io::Result<()> {
    close(socket, config)?;
    let mut batch = Batch::new(TABLE);
    batch.insert_rule(CHAIN, Expressions::new().in_begins(Compare::Is, &config.link_prefix).accept(), &config.table);
    batch.insert_rule(CHAIN, Expressions::new().out_begins(Compare::Is, &config.link_prefix).accept(), &config.table);
    batch.commit(socket).map_err(|refused| refused.error)
}

/// Takes our rules out again; gone already is success.
///
/// # Errors
/// What the kernel said.
pub(crate) fn close(socket: &mut Socket, config: &Config) -> io::Result<()> {
    if !nft::has_chain(socket, TABLE, CHAIN)? {
        return Ok(());
    }
    let handles = nft::commented_rules(socket, TABLE, CHAIN, &config.table)?;
    if handles.is_empty() {
        return Ok(());
    }
    let mut batch = Batch::new(TABLE);
    handles.iter().for_each(|handle| batch.delete_rule(CHAIN, *handle));
    batch.commit(socket).map_err(|refused| refused.error)
}
