//! Secrets as rows of symbols, the forms of all symbols as one trie, and the walks through both.

use super::forms::{self, BREAK, Root, Symbol};
use std::collections::BTreeSet;

/// White space may stand between any two bytes of a secret; more than this is taken for its end.
const LONGEST_BREAKS: u64 = 4_096;
/// The longest form of one byte.
const LONGEST_FORM: u64 = 12;

/// A place before a symbol of a secret, or its end. The places of a secret stand one after another.
struct Position {
    symbol: Symbol,
    /// A symbol that stands for several of those to come, and the position behind it.
    wider: Option<(Symbol, usize)>,
    root: usize,
    is_first: bool,
    may_skip: bool,
    is_end: bool,
}

#[derive(Default)]
struct Node {
    next: Vec<(u8, usize)>,
    symbols: Vec<Symbol>,
}

/// What a first byte leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// Behind a symbol.
    At(usize),
    /// Within a form of the symbol at a position.
    Within(usize, usize),
}

/// The secrets.
#[derive(Default)]
pub(super) struct Graph {
    positions: Vec<Position>,
    /// The roots stand first.
    nodes: Vec<Node>,
    begins: Vec<Vec<Begin>>,
    reach: u64,
}

/// One symbol of a secret.
pub(super) struct Step {
    pub(super) symbol: Symbol,
    /// A symbol for this and the following ones, so many together.
    pub(super) wider: Option<(Symbol, usize)>,
    /// Whether it may be left out.
    pub(super) may_skip: bool,
}

impl Graph {
    /// Adds a secret in one of its forms.
    pub(super) fn add(&mut self, root: Root, steps: &[Step]) {
        let base = self.positions.len();
        let blank = |is_first, is_end| Position { symbol: BREAK, wider: None, root: root as usize, is_first, may_skip: false, is_end };
        for (index, step) in steps.iter().enumerate() {
            let wider = step.wider.map(|(symbol, count)| (symbol, base + index + count));
            self.positions.push(Position { symbol: step.symbol, wider, may_skip: step.may_skip, ..blank(index == 0, false) });
        }
        self.positions.push(blank(false, true));
    }

    /// Ends the making: the forms of all symbols that stand somewhere.
    pub(super) fn finish(&mut self) {
        self.nodes = Root::ALL.iter().map(|_| Node::default()).collect();
        self.begins = vec![Vec::new(); 256];
        self.reach = LONGEST_BREAKS + LONGEST_FORM * u64::try_from(self.positions.len()).unwrap_or(0);
        let symbols = |position: &Position| [Some(position.symbol), position.wider.map(|(symbol, _)| symbol)];
        let all: BTreeSet<(usize, Symbol)> = self
            .positions
            .iter()
            .flat_map(|position| symbols(position).into_iter().flatten().map(|symbol| (position.root, symbol)))
            .collect();
        for (root, symbol) in all {
            for form in forms::of(symbol) {
                self.teach(root, &form, symbol);
            }
        }
        let firsts: Vec<usize> = (0..self.positions.len()).filter(|at| self.positions.get(*at).is_some_and(|one| one.is_first)).collect();
        for at in firsts {
            self.begin(at);
        }
    }

    fn teach(&mut self, root: usize, form: &[u8], symbol: Symbol) {
        let mut at = root;
        for byte in form {
            at = match self.follow(at, *byte) {
                Some(next) => next,
                None => {
                    let next = self.nodes.len();
                    self.nodes.push(Node::default());
                    if let Some(node) = self.nodes.get_mut(at) {
                        node.next.push((*byte, next));
                    }
                    next
                }
            };
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.symbols.push(symbol);
        }
    }

    /// By which bytes a secret may begin.
    fn begin(&mut self, at: usize) {
        let Some(position) = self.positions.get(at) else { return };
        let (root, wider) = (position.root, position.wider);
        for (symbol, to) in [Some((position.symbol, at + 1)), wider].into_iter().flatten() {
            for form in forms::of(symbol) {
                let begin = match form.as_slice() {
                    [_] => Some(Begin::At(to)),
                    [first, ..] => self.follow(root, *first).map(|node| Begin::Within(at, node)),
                    [] => None,
                };
                let list = form.first().and_then(|first| self.begins.get_mut(usize::from(*first)));
                if let (Some(begin), Some(list)) = (begin, list)
                    && !list.contains(&begin)
                {
                    list.push(begin);
                }
            }
        }
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    fn follow(&self, node: usize, byte: u8) -> Option<usize> {
        self.nodes.get(node)?.next.iter().find(|(by, _)| *by == byte).map(|(_, next)| *next)
    }
}

/// Something that may still become a secret.
#[derive(Clone, Copy)]
struct Thread {
    position: usize,
    node: usize,
    /// The byte of the stream where it began.
    start: u64,
}

/// All of them.
#[derive(Default)]
pub(super) struct Walk {
    active: Vec<Thread>,
    next: Vec<Thread>,
    /// By position: the byte after which it was entered last, plus one, and the start.
    entered: Vec<(u64, u64)>,
    found: Option<u64>,
}

impl Walk {
    /// Goes on by the byte that stands at `at`; the answer is where a secret began that ends with it.
    pub(super) fn step(&mut self, graph: &Graph, byte: u8, at: u64) -> Option<u64> {
        let begins = graph.begins.get(usize::from(byte)).map(Vec::as_slice).unwrap_or_default();
        if self.active.is_empty() && begins.is_empty() {
            return None;
        }
        self.entered.resize(graph.positions.len(), (0, 0));
        self.found = None;
        let active = std::mem::take(&mut self.active);
        for thread in active.iter().filter(|thread| at - thread.start < graph.reach) {
            if byte.is_ascii_whitespace() {
                self.stay(graph, *thread, at);
            }
            self.go_on(graph, *thread, byte, at);
        }
        for begin in begins {
            match *begin {
                Begin::At(position) => self.enter(graph, position, at, at),
                Begin::Within(position, node) => self.stay(graph, Thread { position, node, start: at }, at),
            }
        }
        self.active = std::mem::replace(&mut self.next, active);
        self.next.clear();
        self.found
    }

    /// Where the earliest of all began.
    pub(super) fn earliest(&self) -> Option<u64> {
        self.active.iter().map(|thread| thread.start).min()
    }

    fn go_on(&mut self, graph: &Graph, thread: Thread, byte: u8, at: u64) {
        let Some(position) = graph.positions.get(thread.position) else { return };
        let Some(id) = graph.follow(thread.node, byte) else { return };
        let Some(node) = graph.nodes.get(id) else { return };
        for symbol in &node.symbols {
            if *symbol == position.symbol {
                self.enter(graph, thread.position + 1, thread.start, at);
            }
            if let Some((_, to)) = position.wider.filter(|(wider, _)| wider == symbol) {
                self.enter(graph, to, thread.start, at);
            }
            if *symbol == BREAK && !position.is_first {
                self.enter(graph, thread.position, thread.start, at);
            }
        }
        if !node.next.is_empty() {
            self.stay(graph, Thread { node: id, ..thread }, at);
        }
    }

    /// Remains at a position, within a form of its symbol or before any.
    fn stay(&mut self, graph: &Graph, thread: Thread, at: u64) {
        let root = graph.positions.get(thread.position).map(|position| position.root);
        if root == Some(thread.node) {
            return self.enter(graph, thread.position, thread.start, at);
        }
        let same = |known: &&mut Thread| (known.position, known.node) == (thread.position, thread.node);
        match self.next.iter_mut().find(same) {
            Some(known) => known.start = known.start.min(thread.start),
            None => self.next.push(thread),
        }
    }

    /// Comes to a position, and to those behind it that may be skipped to.
    fn enter(&mut self, graph: &Graph, position: usize, start: u64, at: u64) {
        let mut position = position;
        while let (Some(here), Some(entered)) = (graph.positions.get(position), self.entered.get_mut(position)) {
            let again = entered.0 == at + 1;
            if again && entered.1 <= start {
                return;
            }
            *entered = (at + 1, start);
            if here.is_end {
                self.found = Some(self.found.map_or(start, |before| before.min(start)));
                return;
            }
            let same = |known: &&mut Thread| (known.position, known.node) == (position, here.root);
            let known = if again { self.next.iter_mut().find(same) } else { None };
            match known {
                Some(known) => known.start = start,
                None => self.next.push(Thread { position, node: here.root, start }),
            }
            if !here.may_skip {
                return;
            }
            position += 1;
        }
    }
}
