//! "Did you mean": the known name that is closest to a mistyped one.

/// Longer names are not compared: no known name is that long.
const LONGEST: usize = 64;

/// The candidate that differs least from `name`, if it differs little enough to be what was meant. Case does not count.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.chars().count() > LONGEST {
        return None;
    }
    let name = name.to_lowercase();
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours (restricted Damerau-Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before = vec![0; right.len() + 1];
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.iter().enumerate() {
        let mut row = vec![i + 1; right.len() + 1];
        for (j, r) in right.iter().enumerate() {
            row[j + 1] = (above[j] + usize::from(l != r)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *l == right[j - 1] && left[i - 1] == *r {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant_and_nothing_far() {
        let known = ["FROM", "RUN", "COPY", "ENTRYPOINT", "EXPOSE"];
        for (wrong, right) in [
            ("FORM", Some("FROM")),
            ("copi", Some("COPY")),
            ("ENTRYPIONT", Some("ENTRYPOINT")),
            ("EXPOSED", Some("EXPOSE")),
            ("xyz", None),
            ("", None),
        ] {
            assert_eq!(closest(wrong, known), right, "{wrong}");
        }
        assert_eq!(closest(&"a".repeat(10_000), known), None);
    }
}
