#include "tasks/sentiment/lexicon_tables.h"

namespace finstill::tasks::sentiment {

const Lexicon& english_lexicon() {
  static const Lexicon words = {
      .metrics = {{"profit", true},
                  {"revenue", true},
                  {"orders", true},
                  {"margins", true},
                  {"sales", true},
                  {"cash flow", true},
                  {"deposits", true},
                  {"output", true},
                  {"capital ratio", true},
                  {"losses", false},
                  {"costs", false},
                  {"debt", false},
                  {"bad loans", false},
                  {"defaults", false},
                  {"expenses", false},
                  {"write-downs", false},
                  {"complaints", false},
                  {"arrears", false}},
      .up_past = {"rose", "climbed", "jumped", "grew"},
      .down_past = {"fell", "dropped", "declined", "shrank"},
      .up_base = {"rise", "climb", "grow"},
      .down_base = {"fall", "drop", "decline"},
      .up_noun = {"rise", "jump", "increase"},
      .down_noun = {"fall", "drop", "decline"},
      .above = "above",
      .below = "below",
      .periods = {"Q1", "Q2", "Q3", "Q4", "May", "June", "March", "2031"},
      .name_starts = {"Nor", "Vel", "Kar", "Tas", "Bel", "Dor", "Lin", "Mar", "Os",  "Pel",
                      "Ral", "Sol", "Tor", "Ul",  "Win", "Al",  "Cor", "Fen", "Gar", "Hol"},
      .name_ends = {"ford", "dale", "mont", "wick", "stone", "ley", "burg", "tech", "gate", "field",
                    "more", "ton"},
  };
  return words;
}

const Frames& english_frames(Split split) {
  static const Frames train = {
      .plain = {"{c}: {m} {d.past} {n}%", "{c} {m} {d.past} {n}% in {q}", "{m} {d.past} at {c}"},
      .expected = {"{c} {m} {x} forecasts", "{c} posts {m} {x} expectations"},
      .negated = {"{c} no longer expects {m} to {d.base}", "{c} denies that {m} will {d.base}"},
      .contrast = {"Although {m} {d.past}, {M} {D.past} at {c}",
                   "{c}: {m} {d.past}, but {M} {D.past} {n}%"},
      .offset = {"{c}: {d.noun} in {m} offset by {D.noun} in {M}"},
      .flat = {"{c} {m} flat in {q}", "{c}: {m} unchanged at {n}m"},
      .mention = {"{c} to publish {m} and {M} in {q}", "{c} changes how it reports {m}"},
      .event = {"{c} {e}", "{q}: {c} {e}"},
  };
  static const Frames validation = {
      .plain = {"{q} {m} {d.past} for {c}", "At {c}, {m} {d.past} by {n}%"},
      .expected = {"{c} reports {q} {m} {x} estimates"},
      .negated = {"{c} does not see {m} going into a {d.noun}"},
      .contrast = {"{c} says {M} {D.past} even though {m} {d.past}"},
      .offset = {"{d.noun} in {m} cancelled out by {D.noun} in {M}, says {c}"},
      .flat = {"No change in {m} at {c}"},
      .mention = {"{c} names new head of {m} reporting"},
      .event = {"News: {c} {e}"},
  };
  static const Frames test = {
      .plain = {"{n}% {d.noun} in {m} at {c}", "{c} says its {q} {m} {d.past}",
                "{c} reports {d.noun} in {m}"},
      .expected = {"{q} {m} of {c} came in {x} consensus",
                   "{c}: {m} {x} what analysts had expected"},
      .negated = {"{c} rules out a {d.noun} in {m}", "{c} sees no {d.noun} in {m} ahead"},
      .contrast = {"Despite a {d.noun} in {m}, {c} saw {M} {D.base}",
                   "{m} {d.past} at {c}, yet {M} {D.past}"},
      .offset = {"{c}: {m} {d.past} and {M} {D.past}, net effect nil"},
      .flat = {"{m} of {c} stayed the same in {q}", "{c} keeps {m} steady"},
      .mention = {"{c} will discuss {m} on {q} call", "{c} appoints auditor to review {m}"},
      .event = {"Today {c} {e}", "{c} {e}, filing shows"},
  };
  return split == Split::train ? train : split == Split::validation ? validation : test;
}

const std::vector<Event>& english_events(Split split) {
  static const std::vector<Event> train = {
      {"wins large contract", 1},    {"raises dividend", 1},        {"gets rating upgrade", 1},
      {"repays loan early", 1},      {"loses large contract", -1},  {"cuts dividend", -1},
      {"gets rating downgrade", -1}, {"is fined by regulator", -1}, {"misses bond payment", -1},
      {"lawsuit is dismissed", 1},   {"moves head office", 0},      {"holds annual meeting", 0},
      {"names new secretary", 0},    {"changes its logo", 0},       {"extends opening hours", 0},
      {"to join trade fair", 0}};
  static const std::vector<Event> validation = {
      {"opens profitable new plant", 1}, {"is cleared of fraud", 1},
      {"is charged with fraud", -1},     {"closes its last plant", -1},
      {"updates its web page", 0},       {"publishes meeting calendar", 0}};
  static const std::vector<Event> test = {{"lands record deal", 1},
                                          {"lifts payout to shareholders", 1},
                                          {"is taken off the watch list", 1},
                                          {"settles dispute in its favour", 1},
                                          {"is put on the watch list", -1},
                                          {"scraps payout to shareholders", -1},
                                          {"halts production after fire", -1},
                                          {"loses its licence", -1},
                                          {"hires new press officer", 0},
                                          {"sets date for shareholder meeting", 0},
                                          {"renames two departments", 0},
                                          {"sponsors a local school", 0}};
  return split == Split::train ? train : split == Split::validation ? validation : test;
}

}  // namespace finstill::tasks::sentiment
