//! What a vault keeps, and for how long.

use cpex_builtin::text::{Place, TextTree};
use cpex_builtin::vault::{MemoryVault, Reveal, Vault};

fn token(number: usize) -> String {
    let digits = format!("{number:020}");
    let letters: String = digits.bytes().map(|digit| char::from(b'a' + digit - b'0')).collect();
    format!("[EMPLOYEE-ID:{letters}]")
}

#[test]
fn the_oldest_make_room_by_number_and_by_size() {
    let vault = MemoryVault::new(3);
    for number in 0..5 {
        vault.keep(&token(number), &number.to_string());
        vault.keep(&token(number), "again");
    }
    let known = |vault: &MemoryVault| -> Vec<usize> {
        (0..9).filter(|at| vault.reveal(&token(*at)).is_some()).collect()
    };
    assert_eq!(known(&vault), [2, 3, 4]);
    assert_eq!(vault.reveal(&token(4)).as_deref(), Some("4"));
    vault.keep(&token(7), &"x".repeat(3 * 1024 - 1));
    assert_eq!(known(&vault), [4, 7]);
    vault.keep(&token(8), &"x".repeat(4 * 1024));
    assert_eq!(known(&vault), [0_usize; 0], "too long to be kept at all");
}

#[test]
fn tokens_are_turned_back_where_they_are_known() {
    let vault = MemoryVault::default();
    vault.keep(&token(1), "E-77");
    let text = format!("for {} and {}", token(1), token(2));
    let revealed = text.edit(&mut Reveal(&vault), &Place::ROOT).unwrap();
    assert_eq!(revealed, Some(format!("for E-77 and {}", token(2))));
}
