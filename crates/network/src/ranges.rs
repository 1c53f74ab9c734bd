//! Address and port ranges as sorted, disjoint, inclusive intervals: the form that interval sets of the kernel want.

use crate::topology::Peer;
use std::net::Ipv4Addr;

/// First and last, both meant.
pub(crate) type Range = (u32, u32);

/// Sorts ranges and joins those that overlap or touch.
pub(crate) fn joined(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.retain(|(first, last)| first <= last);
    ranges.sort_unstable();
    let mut out: Vec<Range> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match out.last_mut() {
            Some(before) if u64::from(first) <= u64::from(before.1) + 1 => before.1 = before.1.max(last),
            _ => out.push((first, last)),
        }
    }
    out
}

/// The addresses that some peers mean.
pub(crate) fn of_peers(peers: &[Peer]) -> Vec<Range> {
    joined(
        peers.iter().flat_map(|peer| without(of_block(peer.block), &joined(peer.except.iter().copied().map(of_block).collect()))).collect(),
    )
}

/// First and last address of a block; host bits are ignored.
pub(crate) fn of_block((address, length): (Ipv4Addr, u8)) -> Range {
    let hosts = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
    let first = u32::from(address) & !hosts;
    (first, first | hosts)
}

fn without((first, last): Range, holes: &[Range]) -> Vec<Range> {
    let (mut out, mut from) = (Vec::new(), Some(first));
    for &(hole_first, hole_last) in holes.iter().filter(|(hole_first, hole_last)| *hole_first <= last && *hole_last >= first) {
        let Some(start) = from else { break };
        if hole_first > start {
            out.push((start, hole_first - 1));
        }
        from = hole_last.checked_add(1).map(|next| next.max(start));
    }
    out.extend(from.filter(|start| *start <= last).map(|start| (start, last)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn peer(block: (u32, u8), except: &[(u32, u8)]) -> Peer {
        Peer { block: (block.0.into(), block.1), except: except.iter().map(|(address, length)| ((*address).into(), *length)).collect() }
    }

    fn contains((address, length): (Ipv4Addr, u8), probe: u32) -> bool {
        length == 0 || u32::from(address) >> (32 - length) == probe >> (32 - length)
    }

    #[test]
    fn everything_but_one_network() {
        let ranges = of_peers(&[peer((0, 0), &[(0x0a00_0000, 8), (0xffff_ffff, 32)])]);
        assert_eq!(ranges, [(0, 0x09ff_ffff), (0x0b00_0000, 0xffff_fffe)]);
        assert_eq!(of_peers(&[peer((7, 32), &[(0, 0)])]), []);
    }

    proptest! {
        #[test]
        fn a_range_holds_what_a_peer_means(
            blocks in proptest::collection::vec(((any::<u8>(), 24u8..=32), proptest::collection::vec((any::<u8>(), 24u8..=32), 0..3)), 0..4),
            probe in any::<u8>(),
        ) {
            let peers: Vec<Peer> = blocks.iter().map(|(block, except)| {
                peer((u32::from(block.0), block.1), &except.iter().map(|e| (u32::from(e.0), e.1)).collect::<Vec<_>>())
            }).collect();
            let probe = u32::from(probe);
            let meant = peers.iter().any(|p| contains(p.block, probe) && !p.except.iter().any(|e| contains(*e, probe)));
            let ranges = of_peers(&peers);
            prop_assert_eq!(ranges.iter().any(|(first, last)| (*first..=*last).contains(&probe)), meant);
            prop_assert!(ranges.windows(2).all(|pair| u64::from(pair[0].1) + 1 < u64::from(pair[1].0)));
        }
    }
}
