#!/usr/bin/env python3
"""Writes cases.json: small templates and what jinja2, configured as transformers does it, makes of them.

Needs jinja2 (3.1 or later). A template that raises is written as {"error": true}."""
import datetime
import json
import os

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2024, 2, 29, 8, 5, 9)
VARIABLES = {
    "name": "Ann", "text": "  贷款 loan,  rate 3.5%\n", "empty": "", "zero": 0, "n": 7, "half": 0.5, "big": 123456789012,
    "none_value": None, "yes": True, "items": [3, 1, 2], "words": ["b", "A", "c", "a"],
    "rows": [{"k": "x", "v": 2, "tags": ["p"]}, {"k": "y", "v": 1, "tags": []}, {"k": "x", "v": 3}],
    "d": {"b": 1, "a": [1, 2.0, None, True, "q\"'\n中"], "items": "shadowed"},
    "tree": [{"t": "1", "c": [{"t": "1.1", "c": []}, {"t": "1.2", "c": [{"t": "1.2.1"}]}]}, {"t": "2"}],
}
EXPRESSIONS = """
name
name ~ 1 ~ none ~ true ~ 1.5
1 + 2 * 3 - 4
7 // 2, 7 % 3, -7 // 2, -7 % 3, 7 / 2, 2 ** 10, 2 ** -1
7.5 // 2, 7.5 % 2, -7.5 % 2
-2 ** 2
1 < 2 < 3, 1 < 3 < 2, 1 == 1.0, true == 1, 'a' != 'b'
not true or 1 and 0
'' or 'fallback'
'x' if n > 5 else 'y'
'x' if n > 50
[1, 'a', none, true, 1.0, (1,), (), {'k': 1}]
{'a': 1, 'b': {'c': []}}
"it's", 'say "hi"', 'both \\' and "', 'tab\\t', '中文', '\\x07'
items[0], items[-1], items[1:], items[::-1], items[:-1], items[5:], items[::2]
text[2:4], text[-5:], text[::-1], '贷款利率'[1], '贷款利率'[1:3]
items[10] is defined, d.zzz is defined, d['a'][0], d.a[1], d['items'], d.b
name.upper(), name.lower(), 'hello world'.title(), 'hELLO'.capitalize(), 'aB'.swapcase()
'straße'.upper(), 'ΟΔΟΣ ΑΣΒ'.lower(), 'ǆa'.title(), 'ﬁrst'.capitalize(), 'ßA'.swapcase(), 'x²y it\\'s'.title()
'non-bank (loan) it\\'s [a] <b>' | title, 'ßa ﬁx' | title, 'ΑΣ ΣΑ' | title, 'a-b, c_d' | wordcount
'²'.isdigit(), '²'.isdecimal(), '一'.isnumeric(), '²'.isalnum(), 'ª'.islower(), 'ǅ'.isupper(), 'ⅷ'.islower()
['a\\u3000b\\u2028\\u200b中']
text.strip(), text.lstrip(), text.rstrip(), 'xxaxx'.strip('x'), 'abcabc'.rstrip('cb')
'a,b,,c'.split(','), ' a  b '.split(), 'a,b,c'.split(',', 1), 'a b c'.rsplit(' ', 1), 'a\\nb\\r\\nc\\n'.splitlines()
'a=b=c'.partition('='), 'a=b=c'.rpartition('='), 'abc'.partition('x')
'abc'.startswith('ab'), 'abc'.endswith(('x', 'bc')), 'abcb'.find('b'), 'abcb'.rfind('b'), 'abc'.find('z'), '中abc'.find('b')
'aXbXc'.replace('X', '-'), 'aXbXc'.replace('X', '-', 1), 'abc'.replace('', '.')
'a'.ljust(3, '.') ~ '|' ~ 'a'.rjust(3) ~ '|' ~ 'ab'.center(5, '*') ~ '|' ~ 'abc'.center(6, '*') ~ '|' ~ '-7'.zfill(4)
', '.join(words), 'abab'.count('ab'), 'prefix-x'.removeprefix('prefix-'), 'x.py'.removesuffix('.py')
'12'.isdigit(), 'a1'.isalnum(), 'ab'.isalpha(), ' '.isspace(), 'Ab'.isupper(), 'ab'.islower(), ''.isdigit()
'{} and {1} {}'.format('a', 'b', 'c') if false else '{0}-{name}-{{}}'.format('a', name='b')
'%s is %d, %.2f%%' % ('x', 3, 2.5), '%05d|%x' | format(42, 255)
d.get('b'), d.get('zz'), d.get('zz', 9), d.keys() | list, d.values() | list | length, d.items() | list | length
text | trim | upper, name | lower, 'ab cd' | title, 'ab' | capitalize, 'a' | center(5) ~ '|'
items | sort, items | sort(reverse=true), words | sort, words | sort(case_sensitive=true), rows | sort(attribute='v') | map(attribute='v') | list
rows | map(attribute='k') | unique | list, words | map('upper') | join('-'), rows | selectattr('v', 'gt', 1) | map(attribute='v') | list
rows | rejectattr('tags', 'defined') | list | length, items | select('odd') | list, items | reject('odd') | list, ['', 'a'] | select | list
rows | groupby('k') | map('first') | list, rows | groupby('k') | map('last') | map('length') | list
items | sum, rows | sum(attribute='v'), items | min, items | max, rows | map(attribute='zz', default='-') | list
items | first, items | last, [] | first is defined, items | length, words | join, words | join(', '), rows | join(', ', attribute='k')
items | reverse | list, 'abc' | reverse, items | batch(2) | list, items | batch(2, 'x') | list
d | dictsort | map('first') | list, d | items | list | length, none_value | default('x'), none_value | default('x', true), nothing | default('y')
'7' | int, '7.9' | int, 'x' | int, 'x' | int(3), ' 8 ' | int, '1.5' | float, 7.9 | int, true | int
3.14159 | round(2), 2.5 | round, 3.5 | round, 7 | round, 7 | round(1), true | round, 7 | round(0, 'floor'), 2.675 | round(2), 7.1 | round(0, 'ceil'), 7.9 | round(method='floor'), -3 | abs
'a\\nb\\n\\nc' | indent(2), 'a\\nb' | indent(2, true), 'a\\n\\nb' | indent(1, blank=true)
'one two three four' | truncate(11), 'one two three four' | truncate(11, true), 'short' | truncate(11), 'a b' | wordcount
'a b/c?中' | urlencode, '<a href="x">&\\'' | escape, ('<b>' | safe) + '<i>', '<i>' + ('<b>' | safe), ('<b>' | safe) ~ '<i>'
1.0, 1e16, 1e15, 1e-4, 1e-5, 0.1, 100000.0, 1.5e300, 123456789.123, -0.0
1.0 | string, none | string, [1, 'a'] | string
d | tojson, 'a\\u2028<>&\\u0007' | tojson, 1.0 | tojson, none | tojson, (1, 2) | tojson
{'b': [1, {}], 'a': [], 'c': {}} | tojson(indent=2)
{'b': 1, 'a': '中'} | tojson(sort_keys=true, ensure_ascii=true, separators=(',', ':'))
name is string, n is number, n is integer, half is float, items is iterable, items is sequence, d is mapping, none_value is none, yes is true, yes is boolean
n is odd, n is even, n is divisibleby 7, n is divisibleby(2), n is eq 7, n is ge 7, n is lt(7), name is in ['Ann'], n is not none, n is sameas 7
nothing is defined, nothing is undefined, d is iterable, name is iterable, name is not mapping, 'AB' is upper, 'ab' is lower, range is callable
'a' in 'abc', 'z' not in 'abc', 1 in items, 'b' in d, 'x' in nothing, nothing == nothing
range(3) | list, range(1, 10, 3) | list, range(3, 0, -1) | list, dict(a=1, b=2), dict(a=1).a, dict({'b': 1, 'a': 2}, b=3, c=4)
'ab' * 3, [1] * 2, [1] + [2], (1,) + (2,), 3 * '-'
"a" "b" 'c'
nothing, nothing | length, nothing | list, nothing | upper
(n | string) + 'x', n | string | length
strftime_now('%Y-%m-%d %H:%M:%S %j %a %A %b %B %y %I %p %%'), strftime_now('%d %b %Y')
[1, 2, 3][1:] | first, {'a': {'b': [10, 20]}}.a.b[1], ('x', 'y')[1], rows[0].k, rows.0.k
words | map('upper') | first, words | list | last, (words | map('upper')) is iterable
d.a | length, d['a'] | last | length
1 if none_value else 2 if zero else 3
not (1 == 2) and not 3 in items
'a' ~ 'b' * 2 ~ 'c'
'x' + 1
none_value.attribute.deeper
nothing.attribute
nothing + 'x'
1 / 0
items.append(4)
d.update({'x': 1})
name.__class__
'abc' | nosuchfilter
'abc' is nosuchtest
[1, 'a'] | sort
items | map(attribute='x') | tojson
range(1000000) | length
5 | length
5()
words | map('upper') | length
'x'.join([1])
""".strip().split("\n")
TEMPLATES = [
    "{% for i in items %}{{ loop.index }}/{{ loop.length }}:{{ i }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for i in items %}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}|{% endfor %}",
    "{% for i in items if i > 1 %}{{ loop.index }}={{ i }}/{{ loop.length }};{% else %}none{% endfor %}",
    "{% for i in [] %}x{% else %}empty{% endfor %}{% for i in nothing %}x{% else %}undefined{% endfor %}",
    "{% for i in [] %}{% else %}{% set leak = 1 %}{{ leak }}{% endfor %}{{ leak is defined }}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in d %}{{ k }},{% endfor %}{% for c in 'a中' %}[{{ c }}]{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3)), (4, (5, 6))] %}{{ a }}{{ b }}{{ c }} {% endfor %}",
    "{% for i in items %}{{ loop.cycle('odd', 'even') }} {{ loop.previtem }} {{ loop.nextitem }};{% endfor %}",
    "{% for r in rows %}{% if loop.changed(r.k) %}[{{ r.k }}]{% endif %}{{ r.v }}{% endfor %}",
    "{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for node in tree recursive %}{{ loop.depth }}{{ node.t }}{% if node.c %}({{ loop(node.c) }}){% endif %} {% endfor %}",
    "{% for i in items %}{% for j in items %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}",
    "{% set x = 1 %}{% for i in items %}{% set x = x + i %}{{ x }},{% endfor %}{{ x }}",
    "{% set ns = namespace(x=1) %}{% for i in items %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}{% set ns.y = 'new' %}{{ ns.y }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set t = 1, 2 %}{{ t }}",
    "{% if zero %}a{% elif n %}b{% else %}c{% endif %}{% if true %}{% set leak = 1 %}{% endif %}{{ leak }}",
    "{% set body %}x {{ name }} y{% endset %}[{{ body }}]{% set up | upper | trim %} {{ name }} {% endset %}[{{ up }}]",
    "{% macro f(a, b='B', c=none) %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ f(1) }} {{ f(1, 2) }} {{ f(1, c=3) }} {{ f(b=5, a=4) }}",
    "{% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, 3, x=4) }}",
    "{% macro down(k) %}{{ k }}{% if k > 0 %}{{ down(k - 1) }}{% endif %}{% endmacro %}{{ down(5) }}",
    "{% macro wrap(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% call wrap('b') %}in {{ name }}{% endcall %}",
    "{% macro each(list) %}{% for i in list %}{{ caller(i, loop.index) }}{% endfor %}{% endmacro %}{% call(x, k) each(items) %}[{{ x }}:{{ k }}]{% endcall %}",
    "{% set g = 1 %}{% macro f() %}{{ g }}{% endmacro %}{% set g = 2 %}{{ f() }}",
    "{% macro f() %}{% set inner = 5 %}{{ inner }}{% endmacro %}{{ f() }}{{ inner is defined }}",
    "{% filter upper | trim %} a {{ name }} {% endfilter %}",
    "{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}",
    "{% raw %}{{ not }} {% this %}{% endraw %}|{%- raw -%}  x  {%- endraw -%}  y",
    "a {# comment #} b {#- strip -#} c {# multi\nline #}\nd",
    "  {% if true %}\n  line\n  {% endif %}\nend\n",
    "  {%+ if true %}\n  line\n  {%+ endif %}\nend",
    "{% if true +%}\nkept{% endif %}\n",
    "a\n  {%- if true -%}\n  b\n  {%- endif -%}\nc",
    "x {{- ' y ' -}} z",
    "x\n\t {% set a = 1 %}\n\ty {{ a }}\n",
    "a {% set b = 1 %} c",
    "line1\r\nline2\r{{ name }}\r\n",
    "end\n\n",
    "{{ '{{' }}{{ \"}}\" }}{{ {'a': {'b': 1}}['a']['b'] }}{{ {'x': {}} }}",
    "{{ '\\n\\t\\'\\\"\\\\ \\u4e2d \\x41 \\q' }}",
    "{{ 'multi\nline' }}",
    "{%- if name == 'Ann' and (n > 3 or nothing) -%} yes {%- endif %}",
    "{%for i in items%}{{i}}{%endfor%}{%-set x=1-%}{{x}}",
    "{% if nothing is not defined %}{% set nothing = 'now' %}{% endif %}{{ nothing }}",
    "{% set ns = namespace() %}{% set ns.list = [] %}{% for i in items %}{% set ns.list = ns.list + [i] %}{% endfor %}{{ ns.list }}",
    "{{ raise_exception('no ' + name) }}",
    "{% if false %}{{ 'x' | nosuch }}{% endif %}ok",
    "{% for x in 5 %}{% endfor %}",
    "{% set a, b = [1] %}",
    "{% set name.x = 1 %}",
    "{% include 'x' %}",
    "{% endif %}",
    "{% if x %}",
    "{{ 1 + }}",
    "{{ (1 }}",
    "{{ 'open }}",
    "{% for i in items %}{{ i }}",
    "{% break %}",
    "text { % {a} }} %} #}",
    "{% set x %}{% for i in items %}{{ i }}{% endfor %}{% endset %}{{ x | length }}",
    "{{ items | join(', ') if items else 'none' }}{{ 'a' if false else 'b' | upper }}",
    "{% for i in items %}{% set loop_i = loop.index %}{% for j in 'ab' %}{{ loop_i }}{{ j }}{% endfor %}{% endfor %}",
    "{% set x = [1, 2, 3] %}{{ x[0] }}{{ x[-1:] }}{{ (x | length) - 1 }}",
    "{% for m in rows %}{{ loop.index0 % 2 == 0 }}{% endfor %}",
]


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda form: NOW.strftime(form)
    return env


def main():
    cases = []
    sources = ["{% for part in [" + e + "] %}[{{ part }}]{% endfor %}" if "," in e and " if " not in e else "{{ " + e + " }}"
               for e in EXPRESSIONS] + TEMPLATES
    for source in sources:
        try:
            cases.append({"template": source, "text": environment().from_string(source).render(**VARIABLES)})
        except Exception:
            cases.append({"template": source, "error": True})
    folder = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(folder, "cases.json"), "w", encoding="utf-8") as file:
        json.dump({"variables": VARIABLES, "now": NOW.isoformat(), "cases": cases}, file, ensure_ascii=False, indent=1)
        file.write("\n")


main()
