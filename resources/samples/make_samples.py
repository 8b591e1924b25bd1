#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the sample task files beside this script.

    make_samples.py [OUT]

Every slot has a short closed list of values. All combinations are put in an order by SHA-256, the first 60 become the
test file and the next 400 the training file, so a test row is a new combination of values that were all seen in
training. Nothing is drawn at random: the files are the same on every machine.
"""
import hashlib
import itertools
import json
import sys
from collections import Counter
from pathlib import Path

TRAIN_ROWS = 400
TEST_ROWS = 60
LEAST_USES = 12  # of each slot value in the training file

NAMES = ["Anna", "Ben", "Lucy", "Jack", "Mara", "Peter", "Rose", "Sam", "Lily", "Tom", "Nora", "Paul"]
JOBS = ["baker", "teacher", "farmer", "doctor", "sailor", "painter", "cook", "nurse", "tailor", "judge", "artist",
        "engineer"]
CITIES = ["London", "Paris", "Rome", "Lund", "Boston", "Berlin", "York", "Madrid", "Milan", "Athens"]
PETS = ["cat", "dog", "horse", "bird", "rabbit", "goat", "owl", "none"]
FACT_ORDERS = [("name", "job", "city", "pet"), ("job", "name", "pet", "city"), ("city", "pet", "name", "job")]

TASKS = ["water the plants", "feed the cat", "buy some bread", "clean the kitchen", "pay the rent", "wash the car",
         "send the letter", "book a table", "read the report", "walk the dog"]
PEOPLE = ["Anna", "Ben", "Lucy", "Jack", "Mara", "Peter"]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
HOURS = [7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19]
REQUESTS = {
    "remind": ["Remind me to {what} on {day} at {time}.", "On {day} at {time} I have to {what}.",
               "Do not let me forget to {what} at {time} on {day}."],
    "call": ["Call {what} on {day} at {time}.", "I want to call {what} at {time} on {day}."],
    "meet": ["I will meet {what} on {day} at {time}.", "On {day} at {time} I meet {what}."],
}


def by_digest(items):
    """An order that looks random and depends on the items alone."""
    return sorted(items, key=lambda item: hashlib.sha256(repr(item).encode()).hexdigest())


def with_article(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def facts_rows():
    for index, combination in enumerate(by_digest(itertools.product(NAMES, JOBS, CITIES, PETS))):
        facts = dict(zip(("name", "job", "city", "pet"), combination))
        order = FACT_ORDERS[index % len(FACT_ORDERS)]
        pet = "no pet" if facts["pet"] == "none" else with_article(facts["pet"])
        yield {
            "prompt": " | ".join(f"{key}: {facts[key]}" for key in order),
            "response": f"{facts['name']} is {with_article(facts['job'])} from {facts['city']} and has {pet}.",
        }, combination


def spoken_time(hour):
    return f"{hour} am" if hour < 12 else f"{hour - 12} pm"


def request_rows():
    slots = [("remind", task) for task in TASKS] + [("call", person) for person in PEOPLE] + [
        ("meet", person) for person in PEOPLE]
    for index, ((action, what), day, hour) in enumerate(by_digest(itertools.product(slots, DAYS, HOURS))):
        pattern = REQUESTS[action][index % len(REQUESTS[action])]
        answer = {"action": action, "what": what, "day": day, "hour": hour}
        yield {
            "prompt": pattern.format(what=what, day=day, time=spoken_time(hour)),
            "response": json.dumps(answer, separators=(",", ":")),
        }, (action, what, day, hour)


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_task(folder, name, rows):
    chosen = list(itertools.islice(rows, TEST_ROWS + TRAIN_ROWS))
    test, train = chosen[:TEST_ROWS], chosen[TEST_ROWS:]
    used = Counter(value for _, values in train for value in values)
    for value in {value for _, values in chosen for value in values}:
        assert used[value] >= LEAST_USES, f"{name}: {value!r} is used {used[value]} times in training"
    assert len({row["prompt"] for row, _ in chosen}) == len(chosen), f"{name}: a prompt occurs twice"
    write_rows(folder / f"{name}.jsonl", [row for row, _ in train])
    write_rows(folder / f"{name}_test.jsonl", [row for row, _ in test])


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    write_task(folder, "facts_to_sentence", facts_rows())
    write_task(folder, "request_to_json", request_rows())


if __name__ == "__main__":
    main()
