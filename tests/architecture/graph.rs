//! Circles in a graph: its strongly connected components (Tarjan).

use std::collections::BTreeSet;

/// The circles of a graph of `size` nodes, each by node. A single node is no circle.
pub(crate) fn circles(size: usize, edges: &BTreeSet<(usize, usize)>) -> Vec<Vec<usize>> {
    let mut search = Search {
        edges,
        found_at: vec![None; size],
        lowest: vec![0; size],
        stack: Vec::new(),
        found: 0,
        circles: Vec::new(),
    };
    for node in 0..size {
        if search.found_at[node].is_none() {
            search.visit(node);
        }
    }
    search.circles
}

struct Search<'e> {
    edges: &'e BTreeSet<(usize, usize)>,
    found_at: Vec<Option<usize>>,
    /// The first found node of the stack that a node reaches.
    lowest: Vec<usize>,
    stack: Vec<usize>,
    found: usize,
    circles: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn visit(&mut self, node: usize) {
        let at = self.found;
        self.found += 1;
        self.found_at[node] = Some(at);
        self.lowest[node] = at;
        self.stack.push(node);
        for &(_, next) in self.edges.range((node, 0)..(node + 1, 0)) {
            match self.found_at[next] {
                None => {
                    self.visit(next);
                    self.lowest[node] = self.lowest[node].min(self.lowest[next]);
                }
                Some(found) if self.stack.contains(&next) => {
                    self.lowest[node] = self.lowest[node].min(found);
                }
                Some(_) => {}
            }
        }
        if self.lowest[node] == at {
            let begins = self.stack.iter().position(|other| *other == node);
            let mut circle = self.stack.split_off(begins.unwrap());
            circle.sort_unstable();
            if circle.len() > 1 {
                self.circles.push(circle);
            }
        }
    }
}

#[test]
fn circles_are_found_apart_from_each_other() {
    let edges = [
        (0, 1),
        (1, 2),
        (2, 0),
        (2, 3),
        (3, 4),
        (4, 3),
        (5, 0),
        (4, 6),
    ];
    let mut found = circles(7, &edges.into());
    found.sort();
    assert_eq!(found, [vec![0, 1, 2], vec![3, 4]]);
}
