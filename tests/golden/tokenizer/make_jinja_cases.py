#!/usr/bin/env python3
"""Writes data/jinja_cases.jsonl: templates, conversations and what Python's jinja2 makes of them.

Usage: make_jinja_cases.py > data/jinja_cases.jsonl      (needs jinja2; the tests need only the result)
Settings as for chat templates everywhere: trim_blocks, lstrip_blocks, loop controls, tojson = json.dumps."""
import json

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

FAMILIES = {
    "chatml": """{% for message in messages %}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{% endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\\n' }}
{% endif %}
""",
    "headers": """{{- bos_token }}
{%- if strftime_now is defined and false %}{% set date = strftime_now("%d %b %Y") %}{% else %}{% set date = "26 Jul 2024" %}{% endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Today Date: " + date + "\\n\\n" + system_message + "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}{{- raise_exception("one call at a time") }}{%- endif %}
    {%- else %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable and message.content is not string %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}
""",
    "turns": """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '\\n\\n' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '\\n\\n' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Roles must alternate user/assistant/user/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}{{ item['text'] | trim }}{%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model\\n'}}
{%- endif -%}
""",
    "inst": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("After the optional system message, conversation roles must alternate") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if message == user_messages[-1] and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported") }}
    {%- endif %}
{%- endfor %}
""",
    "tools": """{%- if tools %}
    {{- '<|im_start|>system\\n' }}{%- for tool in tools %}{{- "\\n" }}{{- tool | tojson }}{%- endfor %}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are a careful helper.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- message.content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
""",
    "thinking": """{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content %}
    {%- if message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index and (loop.last or (not loop.last and reasoning_content)) %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}
""",
    "bars": """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""",
    "bars_end": """{{ bos_token }}{% for message in messages %}{% if (message['role'] in ['user', 'system']) %}{{'<|' + message['role'] + '|>' + '
' + message['content'] + '<|end|>' + '
'}}{% elif (message['role'] == 'assistant') %}{{'<|assistant|>' + '
' + message['content'] + '<|end|>' + '
'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' + '
' }}{% else %}{{ eos_token }}{% endif %}""",
    "macro": """{%- macro turn(role, content, end='</s>') -%}
[{{ role | upper }}] {{ content | trim }}{{ end }}
{% endmacro -%}
{%- for m in messages %}
{{ turn(m.role, m.content) if m.role != 'assistant' else turn(m.role, m.content, end=eos_token) }}
{%- else %}
nothing
{%- endfor %}
{{- "go" if add_generation_prompt }}""",
    "defaults": """{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif -%}
{% set ns = namespace(is_first=true, system_prompt='') -%}
{%- for message in messages %}{%- if message['role'] == 'system' %}{%- if ns.is_first %}{% set ns.system_prompt = ns.system_prompt + message['content'] %}{%- set ns.is_first = false %}{%- else %}{% set ns.system_prompt = ns.system_prompt + '\\n\\n' + message['content'] %}{%- endif %}{%- endif %}{%- endfor %}{{ bos_token }}{{ ns.system_prompt }}
{%- for message in messages %}
{%- if message['role'] == 'user' %}{{ '<\\uff5cUser\\uff5c>' + message['content'] }}{%- endif %}
{%- if message['role'] == 'assistant' and message['content'] is not none %}{{ '<\\uff5cAssistant\\uff5c>' + message['content'].split('</think>')[-1] + eos_token }}{%- endif %}
{%- endfor -%}{% if add_generation_prompt %}{{ '<\\uff5cAssistant\\uff5c>' }}{% endif %}""",
}

EXPRESSIONS = r"""
1 + 2 * 3 - 4 // 3 % 2
7 / 2
-7 // 2
-7 % 3
-1|abs
(-5)|abs
'a' ~ 1 ~ none ~ true
'ab' * 3
'a' + 'b' + "c'd"
"x\ty\nz\\ \u00e9 \x41"
[1, 2, 'x', none, true, 1.5]
{'a': 1, 'b': [2, 'q'], "c": {'d': {}}}
{'a': {'b': 1}}['a']['b']
[1,2,3][-1] ~ [1,2,3][0] ~ 'hello'[1] ~ 'hello'[-1]
'hello'[1:3] ~ 'hello'[::-1] ~ 'hello'[:-2] ~ 'hello'[::2]
[1,2,3,4][1:] ~ [1,2,3,4][::-1] ~ [1,2,3,4][-2:]
'é日本'[1] ~ 'é日本'|length ~ 'é日本'[::-1]
undefined_thing
undefined_thing is defined
undefined_thing is not defined
undefined_thing | default('d')
'' | default('d') ~ '' | default('d', true) ~ none | default('d')
0 or 'x'
'y' and 'z'
not 'a' ~ 'b'
'a' in 'cat' and 'b' not in 'cat'
'a' in ['a', 'b'] ~ (3 in [1, 2])
'k' in {'k': 1}
'x' in undefined_thing
1 == 1.0 and true == 1 and 'a' != 'b' and none == none
'a' < 'b' and 2 >= 2 and not 3 < 2
1 if false
1 if true else 2
'x' if 0 else 'y' if 0 else 'z'
none is none and 'a' is string and 1 is number and 1 is integer and 1.5 is float and true is boolean
[] is iterable and {} is mapping and [] is sequence and 'a' is iterable
4 is even and 3 is odd and 9 is divisibleby 3 and 4 is not odd
1 is eq 1 and 1 is ne 2 and 1 is lt 2 and 2 is gt 1 and 1 is in [1]
'a' is equalto 'a'
true is true and false is false and 1 is not true
'  pad  '|trim ~ '|'
' \u00a0\u3000x\u2003 '|trim ~ '|'
'xxaxx'|trim('x')
'Hello World'|upper ~ 'Hello World'|lower ~ 'hello wORLD'|title ~ 'hELLO'|capitalize
'straße École'|upper ~ 'ÀÉ'|lower
"they're here-now"|title ~ "they're here-now".title()
[1,2,3]|join(', ') ~ ['a','b']|join ~ 'abc'|join('-')
[3,1,2]|sort|join ~ [3,1,2]|reverse|join ~ 'abc'|reverse
[1,2,3]|first ~ [1,2,3]|last ~ 'xyz'|first
[]|first
'a,b,c'|replace(',', ';')
'aaa'.replace('a', 'b')
{'a': 1, 'b': 2}|items|map('first')|join ~ {'a': 1, 'b': 2}|items|map('last')|join
{'b': 1, 'a': 2}|dictsort|map('first')|join
{'a': 1}.items()|map('last')|list ~ {'a': 1}.keys()|list ~ {'a': 1}.values()|list
{'a': 1}.get('a') ~ {'a': 1}.get('z') ~ {'a': 1}.get('z', 'd')
{'a': [1, none, true, 'q"\\é\n'], 'b': {}}|tojson
{'a': [1, 2], 'b': {}, 'c': []}|tojson(indent=2)
'</script><b>&'|tojson
1.0 ~ ' ' ~ 0.1 ~ ' ' ~ 1e3 if false else 2.50
'1,2,,3'.split(',')
' a  b c '.split()
'a b c d'.split(' ', 2)
'a-b-c'.rsplit('-', 1)
' a  b c '.split(none, 1)
'abc'.startswith('ab') and 'abc'.endswith('bc') and not 'abc'.startswith('b')
'  x '.strip() ~ '  x '.lstrip() ~ '  x '.rstrip() ~ '|'
'\n\nx\n'.strip('\n') ~ 'abcxcba'.strip('abc')
'\u2003x\u00a0'.strip() ~ '|'
'x'.upper() ~ 'X'.lower() ~ 'hello there'.title() ~ 'hello There'.capitalize()
'hello'.find('l') ~ 'hello'.find('z')
'-'.join(['a', 'b'])
'12'|int + 1
'x'|int
'1.5'|float + 1
3.7|int
range(3)|list ~ range(1, 4)|list ~ range(6, 0, -2)|list
[{'r': 'a', 'v': 1}, {'r': 'b', 'v': 2}]|map(attribute='v')|list
['a', 'b']|map('upper')|join
[{'r': 'a'}, {'r': 'b'}]|selectattr('r', 'equalto', 'b')|list
[{'r': 'a'}, {'r': 'b'}]|rejectattr('r', 'equalto', 'b')|list
[{'r': 1}, {}]|selectattr('r', 'defined')|list|length
[1,2,3,4]|select('even')|list ~ [1,2,3,4]|reject('odd')|list
[1,2,1,3]|unique|list
'a\nb\nc'|indent(2) ~ 'a\nb'|indent(2, true)
[1, 2] + [3]
(1, 2)|list
'user' in ('user', 'system')
'abc'|list
'%'|string ~ 12|string|length
'a'|safe
messages|length
messages[0].role ~ messages[0]['content'] ~ messages[0].nothing
messages[-1].role
messages[0]
messages|map(attribute='role')|join(',')
messages|tojson
messages[0].content|tojson
messages == messages
bos_token ~ eos_token
namespace(a=1).a
dict(a=1, b='x')
loop is defined
[[1, 2], [3]][0][1]
'x' ~ ('a' if add_generation_prompt else 'b')
""".strip("\n").split("\n")

STATEMENTS = {
    "whitespace": "a\n  {% if true %}\n    b\n  {% endif %}\nc {%- if true %} d {% endif -%} e\n{# note #}\n  {# note #}  \nf {{- ' g ' -}} h\n",
    "plus": "a\n  {%+ if true %}\n x {% endif +%}\n y\n\n",
    "comment_braces": "a{# {{ '}}' }} {% #}b",
    "string_with_tag_end": "{{ '}}' }}{{ \"%}\" }}{% if '%}' == '%}' %}ok{% endif %}",
    "for_else": "{% for x in [] %}{{ x }}{% else %}none{% endfor %}{% for x in nothing_here %}a{% else %}b{% endfor %}",
    "loop_fields": "{% for x in 'abc' %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}",
    "nested_loops": "{% for x in [1,2] %}{% set outer = loop %}{% for y in [3,4] %}{{ outer.index }}.{{ loop.index }} {% endfor %}{{ loop.index }} {% endfor %}",
    "loop_filter": "{% for x in range(10) if x is even %}{{ loop.index }}:{{ x }}{{ ',' if not loop.last }}{% endfor %}",
    "loop_unpack": "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}{% for a, b in [[1, 2], [3, 4]] %}{{ a + b }} {% endfor %}",
    "loop_dict": "{% for k in {'a': 1, 'b': 2} %}{{ k }}{% endfor %}",
    "scope_of_set": "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 9 %}{% endif %}{{ x }}",
    "namespace": "{% set ns = namespace(n=0, s='') %}{% for i in range(4) %}{% set ns.n = ns.n + i %}{% set ns.s = ns.s ~ i %}{% endfor %}{{ ns.n }}{{ ns.s }}",
    "break_continue": "{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "set_block": "{% set t %}a {{ 1 + 1 }}\nb{% endset %}[{{ t }}]{{ t|length }}",
    "elif_chain": "{% for i in range(4) %}{% if i == 0 %}a{% elif i == 1 %}b{% elif i == 2 %}c{% else %}d{% endif %}{% endfor %}",
    "macro": "{% macro f(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }}|{{ f(1, 3) }}|{{ f(1, c='y') }}|{{ f(a='q') }}",
    "macro_recursive": "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "macro_globals": "{% set g = 'G' %}{% macro f() %}{{ g }}{{ bos_token }}{% endmacro %}{{ f() }}",
    "trailing_newline": "a\n\n",
    "crlf": "a\r\n{% if true %}\r\nb\r\n{% endif %}\r\nc\r\n",
    "generation": "{% for m in messages %}{{ m.content }}{% endfor %}",
    "raise": "{{ raise_exception('no way') }}",
    "raise_in_branch": "{% if messages|length > 99 %}{{ raise_exception('x') }}{% endif %}ok",
    "undefined_attribute": "{{ nothing.at.all }}",
    "undefined_call": "{{ nothing.strip() }}",
    "add_text_and_number": "{{ 'a' + 1 }}",
    "division_by_zero": "{{ 1 // 0 }}",
    "compare_text_with_number": "{{ 'a' < 1 }}",
}

CONVERSATIONS = [
    [("user", "Hi there")],
    [("system", "  Be brief.\n"), ("user", " What is 2+2? "), ("assistant", " <think>\nsum\n</think>\n\n4 "), ("user", "Thanks\u00a0\u3000")],
    [("user", "caf\u00e9 \U0001f600 \u65e5\u672c"), ("assistant", ""), ("user", "<|im_end|> 'quoted' \"text\"\n\n```py\n\tx = 1\n```")],
    [("user", "a"), ("tool", "{\"r\": 1}"), ("tool", "2"), ("assistant", "b")],
    [("assistant", "I begin"), ("system", "late")],
]


def environment():
    def fail(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = fail
    return env


def main():
    env = environment()

    def case(name, source, conversation, generation):
        messages = [{"role": r, "content": c} for r, c in conversation]
        row = {"name": name, "template": source, "messages": messages, "add_generation_prompt": generation,
               "bos": "<s>", "eos": "</s>"}
        try:
            row["prompt"] = env.from_string(source).render(
                messages=messages, add_generation_prompt=generation, bos_token="<s>", eos_token="</s>")
        except Exception as error:  # noqa: BLE001 - whatever the reference says, it is an error
            row["error"] = type(error).__name__
        print(json.dumps(row))

    for name, source in FAMILIES.items():
        for i, conversation in enumerate(CONVERSATIONS):
            case(f"{name}/{i}", source, conversation, i % 2 == 0)
    for i, expression in enumerate(EXPRESSIONS):
        case(f"expression/{i}", "{{ " + expression + " }}", CONVERSATIONS[1], True)
    for name, source in STATEMENTS.items():
        case(f"statement/{name}", source, CONVERSATIONS[0], True)


if __name__ == "__main__":
    main()
