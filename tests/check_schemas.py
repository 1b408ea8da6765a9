#!/usr/bin/env python3
"""check_schemas.py SCHEMAS.JSONL < texts -- every text that `schemas` printed parses and validates, by Python's json and by jsonschema.

Needs what tests/check_schemas.txt names. Members that stand twice in an object are counted and are no error where a schema allows members
that it does not declare: nothing forbids the model to say the same name again."""
import collections, json, sys

import jsonschema

schemas = [json.loads(line) for line in open(sys.argv[1], encoding='utf-8')]
validators = [jsonschema.Draft202012Validator(schema) for schema in schemas]
for schema in schemas:
    jsonschema.Draft202012Validator.check_schema(schema)
texts = collections.Counter()
failed = twice = 0
different = collections.defaultdict(set)


def pairs(items):
    global twice
    twice += len(items) != len(dict(items))
    return dict(items)


for line in sys.stdin:
    row = json.loads(line)
    number, raw = row['schema'], bytes.fromhex(row['hex'])
    texts[number] += 1
    different[number].add(raw)
    try:
        value = json.loads(raw.decode('utf-8'), object_pairs_hook=pairs)
        error = next(validators[number].iter_errors(value), None)
    except ValueError as e:
        error = e
    if error is not None:
        failed += 1
        if failed <= 20:
            print(f'schema {number}, seed {row["seed"]}: {raw!r}: {str(error).splitlines()[0]}')

print(f'check-schemas: {sum(texts.values())} texts for {len(texts)} of {len(schemas)} schemas, {sum(map(len, different.values()))} different; '
      f'{twice} objects with a name twice; {failed} failed')
sys.exit(1 if failed or len(texts) != len(schemas) else 0)
