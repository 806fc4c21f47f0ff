# Renders small templates of our own, which cover what public chat templates use and more, with Jinja2 as transformers
# sets it up; writes ../fixtures/jinja.json.
# Python 3.11, transformers 5.18.0, jinja2 3.1.6: pip install transformers jinja2 && python plugins/chat-templates/test/reference/jinja.py
import json
import os

from transformers.utils.chat_template_utils import _compile_jinja_template

CONTEXT = {
    "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": True, "tools": None,
    "t": True, "f": False, "n": None, "i": 7, "j": -3, "z": 0, "x": 2.5, "big": 12345678901, "e": "", "empty": [], "nothing": {},
    "s": "Hello World", "p": "  padded\t\n", "u": "wörld 😀 é日本", "q": "it's \"quoted\"", "c": "**bold**||", "lines": "a\nb\r\nc\n\nd", "html": "<b>&\"'</b>",
    "ctrl": "a\u0001b\u007fc\u00a0d\u2028e\\f", "csv": "a,b,,c", "think": "\n\n    code\n  ",
    "list": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple"], "mixed": [1, "a", None, True, 2.5, [1], {"k": "v"}], "nested": [[1, 2], [3], []],
    "d": {"b": 2, "a": 1, "C": 3}, "deep": {"a": {"b": [{"c": "x"}, {"c": "y"}]}, "items": "own", "get": 1, "n": None, "t": True},
    "people": [{"name": "Ann", "age": 30, "city": "Oslo", "tags": ["x", "y"]}, {"name": "bob", "age": 25, "city": "Rome", "tags": []}, {"name": "Cid", "age": 30, "city": "oslo"}],
    "args": {"city": "Oslo", "days": 3, "exact": True, "unit": None, "hours": ["am", "pm"], "deep": {"a": [1, 2.5, {"b": False}]}},
    "messages": [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi <there>"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHello", "reasoning_content": None, "tool_calls": [{"type": "function", "id": "c1", "function": {"name": "f", "arguments": {"a": 1, "b": "ü\n"}}}]},
        {"role": "tool", "content": "{\"ok\": true}", "name": "f"}, {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "image"}]},
    ],
    "tree": [{"v": 1, "sub": [{"v": 2, "sub": []}, {"v": 3, "sub": [{"v": 4, "sub": []}]}]}, {"v": 5, "sub": []}],
    "schema": {"type": "object", "properties": {"place": {"type": ["string", "null"], "description": "a <b>\"place\"</b> & später", "enum": ["a", "b"], "default": None}}, "required": []},
}

EXPRESSIONS = {
    "values": """t;f;n;i;j;x;big;e;s;u;list;mixed;d;deep;nested;empty;nothing;missing;[missing];{'a': missing};(1,);(1, 2);();1, 2;[q, ctrl];{'k': q};u|list;
        1.0;0.1;1e5;1e16;1e15;1.5e300;1e-5;0.0001;0.00001234;-0.0;123456789.123;1e22;100000000000000000000;0x1F;0b101;0o17;1_000;1_0.5_0;2.50;True;False;None;true;false;none;'a' 'b';"a\\nb";'\\x41\\u00e9\\t\\'';'é\\é';"\\q";'\\101';'\\U0001F600';
        [True, None, 1, 1.0, 'a'];{'a': 1, 'b': [2]};{1: 2, 'x': {}};{1: 'a', 1.0: 'b', True: 'c'};range(3);range(1, 10, 3);d.items();d.keys();d.values();namespace(a=1, b='x');['\\\\', '\\n', "'", '"', "'\\""]""",
    "arithmetic": """1 + 2;1 + 2.0;7 / 2;8 / 2;7 // 2;-7 // 2;7 // -2;7.5 // 2;-7.5 // 2;7 % 3;-7 % 3;7 % -3;7.5 % 2;-7.5 % 2;2 ** 10;2 ** -1;2 ** 0.5;2 ** 3 ** 2;-2 ** 2;2 ** 100;10 ** 20;1 - -1;+5;-x;- t;t + t;t * 3;'a' * 3;3 * 'ab';'a' * -1;[1] * 2;2 * [1, 2];'a' + 'b';list + [4];(1,) + (2,);'a' ~ 1 ~ none ~ 2.0 ~ missing ~ [1];1 ~ 2 + 3;i * 2 + 1;(i + 1) * 2;i % 2 == 0;1 / 3;0.1 + 0.2;1e308 * 10;5 // 0.3;5 % 0.3;big * big;1 / 0;1 // 0;1 % 0;1.0 % 0;'a' + 1;1 + 'a';n + 1;list + 'a';missing + 1;'a' + missing;missing ~ 'a';'a' - 'b';[1] - [1];d + d;0 ** 0;0.0 ** -1;0 ** -1;1 + none""",
    "comparison": """1 == 1.0;1 == t;0 == f;1 == '1';n == none;missing == other;missing == none;[1] == [1];[1, [2]] == [1, [2]];[1] == (1,);(1, 2) == (1, 2);{'a': 1} == {'a': 1.0};{'a': 1, 'b': 2} == {'b': 2, 'a': 1};'a' == 'a';'a' != 'b';1 < 2;1 < 2 < 3;1 < 3 < 2;3 > 2 >= 2;'a' < 'b';'Z' < 'a';'\uffff' < '😀';[1, 2] < [1, 3];[1] < [1, 2];(1, 'a') < (1, 'b');1 < 'a';n < 1;missing < 1;d < d;list < (1,);1 in list;5 in list;5 not in list;'a' in d;'A' in d;1 in d;'ell' in s;'' in s;1 in s;'a' in n;'a' in missing;[1] in nested;[1, 2] in nested;n in mixed;1.0 in list;t in list;'k' in mixed[6];d in [d];1 in range(3);('a', 1) in d.items();2 in d.values();'a' in d.keys();not 1 == 2;not t;not not e;not missing;1 == 1 and 2 == 2;1 if t else 2;1 if f else 2;(1 if f);(1 if f) is defined;1 if f else 2 if f else 3;t and f;t or f;0 or 'a';'' or none;1 and 'a';none and missing;missing or 'x';[] or {};'a' if list else 'b';(list and d)['a'];range(3) == range(0, 3);1 == 1.0 == t;'a' in ['b', 'a'] and 'c' not in 'abd';t is true and f is false;1 is true;0 is false""",
    "attributes": """d.a;d['a'];d.zzz;d['zzz'];deep.a.b[0].c;deep.a.b.0.c;deep['a']['b'][1]['c'];deep.a.b[-1].c;deep.items;deep['items'];deep.get;deep['get'];deep.n;deep.t;missing.x;missing['x'];n.x;n['x'];i.x;s.x;s[0];s[-1];s[99];u[6];u[-1];u[7];list[0];list[-1];list[9];list['0'];list['x'];list[t];list[1.0];(1, 2)[1];d[1];d[none];d[[1]];nested[0][1];deep.a['b'];deep.a.b | length;messages[0].role;messages[-1]['content'][0].text;messages[2].tool_calls[0].function.arguments.b;messages[9];messages[9].role;people[0].tags[0];people[2].tags;'abc'.0;range(5)[2];range(5)[-1];range(5)[9];i.real;i.imag;i.numerator;x.real;x.is_integer();i.bit_length();range(1, 9, 2).step;d.items()[0];s.__class__;s['__class__'];s.__class__.__mro__;d.__init__;s.__len__();d.pop('a');list.append(1);list.append;d.update({'a': 2});list.sort();list.count(3);list.index(2);list.index(9);list.copy();d.copy();(1, 2, 1).count(1);(1, 2).index(2);mixed.count(1);d.get('a');d.get('zz');d.get('zz', 5);d.get(none);deep.get('n', 5);d.items()|list;d.keys()|list;d.values()|list;d.items()|first;d.keys()|length;nothing.items()|list;d.get();d.get('a', 'b', 'c');d.get(key='a');'x'.nope();n();s();d.a();missing();missing.x.y;messages[0].nope.x""",
    "slices": """s[1:4];s[:3];s[3:];s[::2];s[::-1];s[-3:];s[:-3];s[10:2];s[4:1:-1];s[-100:100];u[5:8];u[::-1];u[-2:];list[1:];list[::-1];list[:1];list[5:];list[-2:];(1, 2, 3)[1:];(1, 2, 3)[::-2];nested[1:];messages[1:]|length;messages[::-1][0].role;messages[:-1]|length;range(10)[2:5]|list;range(10)[::-3]|list;range(10)[2:5];s[none:2];s[t:];s[1:4:0];s['a':];s[1.0:];d[1:];n[1:];missing[1:];list[i:];list[z:i];e[1:];empty[1:];s[1:][0];s[i - 6:j]""",
    "strip": """c.strip('*');c.strip('*|');c.lstrip('*');c.rstrip('|');c.rstrip('*');think.lstrip('\\n');think.rstrip('\\n');think.strip('\\n');think.strip();p.strip();p.lstrip();p.rstrip();p.strip(none);p.strip('');'xxabcxx'.strip('xa');u.strip('w');u.rstrip('本日');'😀a😀'.strip('😀');'\ufeffa\ufeff'.strip();'\x1ca\x85b\u3000'.strip();s.strip(1);c|trim('*');c|trim('*|');p|trim;' a '|trim|length;s.strip('a', 'b');5|trim;n|trim;missing|trim;missing|trim == ''""",
    "split": """csv.split(',');csv.split(',', 1);csv.split(',', -1);csv.split(',', 0);csv.split(sep=',', maxsplit=2);csv.rsplit(',', 1);csv.rsplit(',');csv.rsplit(',', 2);p.split();' a  b c '.split();' a  b c '.split(none, 1);' a  b c '.rsplit(none, 1);' a  b c '.rsplit();e.split();e.split(',');s.split('');s.split('o')[0];s.split('</x>')[-1];messages[2].content.split('</think>')[-1].lstrip('\\n');messages[2].content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n');lines.splitlines();lines.splitlines(true);lines.split('\\n');'a\\n'.splitlines();''.splitlines();'a\x0bb\x0cc\x1cd\x85e\u2028f'.splitlines();csv.partition(',');csv.rpartition(',');csv.partition('x');csv.rpartition('x');csv.partition('');s.split(1);u.split(' ');'aXbXc'.split('X', maxsplit=1)""",
    "search": """s.find('o');s.find('o', 5);s.find('z');s.find('o', 5, 6);s.rfind('o');s.index('W');s.index('z');s.rindex('o');u.find('é');u.find('日', 3);u.rfind('本');u.index('😀');s.count('l');s.count('');s.count('l', 3);u.count('');s.startswith('Hell');s.startswith('ello', 1);s.startswith(('x', 'H'));s.startswith('');s.startswith('', 99);s.startswith('', 11);s.endswith('ld');s.endswith(('a', 'd'));s.endswith('lo', 0, 5);s.startswith(['H']);s.startswith(1);s.find('', 99);s.find('l', -2);s.find('Hello', none, 3);'a' in s;messages[0].content.startswith('<tool_response>');'aaa'.count('aa');s.removeprefix('Hello ');s.removesuffix('ld');s.removesuffix('');s.removeprefix('x');s.replace('o', '0');s.replace('o', '0', 1);s.replace('', '-');s.replace('', '-', 2);s.replace('l', '');'aaa'.replace('aa', 'b');s.replace('o', 1);s|replace('o', '0');s|replace('l', 'L', 1);5|replace('5', 6);', '.join(words);''.join(['a', 'b']);'-'.join('abc');'-'.join([]);', '.join([1]);', '.join(n);','.join(d)""",
    "case": """s.upper();s.lower();s.title();s.capitalize();s.swapcase();u.upper();'ß'.upper();'ΑΣ'.lower();'İ'.lower();'élan vital'.title();"it's a dog-day".title();'ONE TWO'.capitalize();'1st'.title();'ǅ'.lower();'abc'.isalpha();'ab1'.isalpha();''.isalpha();'123'.isdigit();'²'.isdigit();'½'.isnumeric();'½'.isdigit();'١'.isdecimal();'a1'.isalnum();'a 1'.isalnum();' \\t'.isspace();''.isspace();'abc'.islower();'aB'.islower();'A1'.isupper();'1'.isupper();'Ab Cd'.istitle();'Ab cd'.istitle();'a_1'.isidentifier();'1a'.isidentifier();'a\\n'.isprintable();'a b'.isprintable();'aé'.isascii();'ab'.isascii();'日本'.isalpha();'x'.center(6);'x'.center(5, '*');'xy'.center(5, '*');'x'.ljust(4) ~ '|';'x'.rjust(4, '.');'42'.zfill(5);'-42'.zfill(5);'+4'.zfill(4);'a\\tb'.expandtabs();'a\\tb\\n\\tc'.expandtabs(4);'x'.center(4, 'ab');s.casefold();s|upper;s|lower;s|title;s|capitalize;'hello-world (foo) [bar] <b> {c}'|title;"it's"|title;'HELLO'|title;5|upper;n|lower;missing|upper;t|lower;[1, 'A']|lower;'x'|center(5)~'|';'x'|center ~ '|'""",
    "format": """'%s' % 'a';'%s and %s' % (1, 'b');'%d' % 3.7;'%5d|' % 42;'%-5d|' % 42;'%05d' % 42;'%+d' % 42;'% d' % 42;'%x' % 255;'%X' % 255;'%#x' % 255;'%o' % 8;'%.2f' % 3.14159;'%.0f' % 0.5;'%.0f' % 1.5;'%.1f' % 0.25;'%8.3f|' % 3.14159;'%e' % 12345.678;'%.2e' % 0;'%g' % 0.0001;'%g' % 1234567;'%g' % 100000;'%G' % 1e-10;'%.3g' % 2.5;'%#g' % 1.0;'%r' % 'a';'%r' % n;'%s' % n;'%s' % [1];'%s' % (n,);'%%';'%d%%' % 5;'%(a)s-%(b)05d' % d;'%c' % 65;'%c' % 'x';'%5s|' % 'ab';'%-5s|' % 'ab';'%.2s' % 'abc';'%*d' % (5, 42);'%s' % ();'%s %s' % 'a';'a' % 'b';'a' % ();'a' % [];'a' % d;'%d' % 'a';'%q' % 1;'%s' % missing;'%(zz)s' % d;'%i' % t;'%.10f' % 0.1;'%f' % 1e22;'%d' % 1e20;'%06.2f' % -1.5;
        '{} {}'.format(1, 'a');'{0} {1} {0}'.format('a', 'b');'{a}'.format(a=1);'{:>5}|'.format('a');'{:<5}|'.format('a');'{:^5}|'.format('a');'{:*^7}'.format('ab');'{:05d}'.format(42);'{:,}'.format(1234567);'{:_}'.format(1234567);'{:.2f}'.format(3.14159);'{:,.2f}'.format(12345.678);'{:+d}'.format(5);'{:x}'.format(255);'{:#x}'.format(255);'{:b}'.format(5);'{:e}'.format(1234.5);'{:%}'.format(0.25);'{:.1%}'.format(0.256);'{:>8.2f}|'.format(-1.5);'{:08.2f}'.format(-1.5);'{!r}'.format('a');'{!s}'.format(none);'{{}}'.format();'{0[a]}'.format(d);'{0.a}'.format(d);'{0[0]}'.format(list);'{}'.format(none);'{}'.format([1, 'a']);'{:.2}'.format('abc');'{}'.format();'{x}'.format();'{:d}'.format('a');'{:5}|'.format(42);'{:<5}|'.format(42);'{:.3g}'.format(1234.5678);'{:5}|'.format('é😀');'{:d}'.format(1.5);'{'.format();'{:n}'.format(n);
        '%s-%s'|format('a', 1);'%(a)s'|format(a=1);'%.1f'|format(2.25);'x'|format""",
    "defaults": """missing|default('x');missing|d('x');n|default('x');n|default('x', true);e|default('x', boolean=true);z|d(5, true);missing|default;missing|default(default_value='y');f|default(1);deep.zz|default('q');missing.x|default('x');deep.zz.y|default('q');deep.n|default('q');(missing|default({})).x;missing|default(none);missing|default([])|length""",
    "lengths": """s|length;u|length;list|length;d|length;empty|length;missing|length;(1, 2)|count;range(5)|length;d.items()|length;5|length;n|length;'😀'|length;nested|map('length')|list;list|select|length;messages|length - 1""",
    "select": """people|map(attribute='name')|list;people|map(attribute='tags.0')|list;people|map(attribute='tags.0', default='-')|list;people|map(attribute='zip', default='none')|join(',');list|map('string')|list;words|map('upper')|join(', ');list|map('float')|list;words|map('replace', 'p', 'P')|list;words|map('length')|sum;list|select('odd')|list;list|select('gt', 1)|list;list|reject('gt', 1)|list;list|select('in', [1, 2])|list;mixed|select|list;mixed|reject|list;mixed|select('string')|list;mixed|select('none')|list;people|selectattr('age', 'eq', 30)|map(attribute='name')|list;people|selectattr('tags')|list|length;people|rejectattr('tags')|map(attribute='name')|list;people|selectattr('tags', 'defined')|list|length;people|selectattr('city', 'equalto', 'Oslo')|first;people|rejectattr('age', 'lt', 30)|list|length;people|selectattr('name', 'in', ['Ann'])|list|length;messages|selectattr('role', '==', 'user')|list|length;messages|rejectattr('role', 'equalto', 'user')|map(attribute='role')|unique|list;missing|map('upper')|list;missing|select|list;list|map('nope')|list;list|select('nope')|list;list|map|list;people|selectattr|list;5|map('upper')|list;list|select('divisibleby', 3)|list;empty|map('upper')|list;list|map('default', 1)|list;(list|select('odd')) is defined;(empty|select) and 'truthy';list|select('odd')|join('-');d|map('upper')|list;'abc'|map('upper')|join;people|map(attribute='name', nope=1)|list""",
    "aggregate": """list|max;list|min;list|sum;empty|max;empty|min;empty|sum;words|max;words|min;words|max(case_sensitive=true);people|max(attribute='age');people|min(attribute='age')|string;people|sum(attribute='age');[1.5, 2]|sum;list|sum(start=10);['a']|sum;[[1], [2]]|sum(start=[]);mixed|max;'abc'|max;d|max;list|first;list|last;empty|first;empty|last;s|first;s|last;d|first;d|last;missing|first;missing|last;range(3)|last;5|first;(list|map('string'))|last;list|reverse|list;s|reverse;u|reverse;list|reverse;(list|map('string')|reverse);missing|reverse|list;d|reverse|list;5|reverse;list|random is defined""",
    "sort": """list|sort;list|sort(reverse=true);words|sort;words|sort(case_sensitive=true);words|sort(true);people|sort(attribute='name')|map(attribute='name')|list;people|sort(attribute='age,name')|map(attribute='name')|list;people|sort(attribute='age', reverse=true)|map(attribute='name')|list;mixed|sort;nested|sort;d|sort;d|dictsort;d|dictsort(true);d|dictsort(by='value');d|dictsort(false, 'value', true);d|dictsort(by='x');deep|dictsort(true)|map('first')|list;nothing|dictsort;n|dictsort;words|unique|list;words|unique(true)|list;list|unique|list;[1, 1.0, t, 2]|unique|list;people|unique(attribute='age')|map(attribute='name')|list;nested|unique|list;people|groupby('age');people|groupby('city')|map('first')|list;people|groupby('city', case_sensitive=true)|map('first')|list;people|groupby('zip', default='-')|map('first')|list;(people|groupby('age'))[0].grouper;(people|groupby('age'))[1].list|length;[['b', 1], ['A', 2]]|sort;'hello'|sort|join;'hello'|unique|join""",
    "batch": """range(7)|batch(3)|list;range(7)|batch(3, '-')|list;empty|batch(2)|list;range(7)|slice(3)|list;range(7)|slice(3, '-')|list;range(2)|slice(3)|list;list|batch(1)|list;list|batch(2)|map('join', '+')|join('|');d|items|list;missing|items|list;list|items|list;n|items|list;d|list;s|list;n|list;5|list;missing|list;d|items|first""",
    "json": """d|tojson;deep|tojson;args|tojson;schema|tojson;schema|tojson(indent=2);schema|tojson(indent=4);empty|tojson;nothing|tojson;empty|tojson(indent=2);nothing|tojson(indent=2);[[], {}]|tojson(indent=1);u|tojson;u|tojson(ensure_ascii=true);u|tojson(true);ctrl|tojson;ctrl|tojson(ensure_ascii=true);html|tojson;t|tojson;n|tojson;x|tojson;1.0|tojson;1e16|tojson;1e-7|tojson;big|tojson;(1, 2)|tojson;d|tojson(sort_keys=true);d|tojson(separators=(',', ':'));d|tojson(separators=(',', ':'), indent=2);d|tojson(none, 2);d|tojson(indent='\\t');d|tojson(indent=0);{1: 2, 1.5: 3, none: 4, true: 5}|tojson;missing|tojson;[missing]|tojson;range(3)|tojson;d.items()|tojson;d.items()|list|tojson;messages|tojson;messages[2].tool_calls|tojson;q|tojson;'\\u2028'|tojson;list|map('string')|tojson;namespace(a=1)|tojson;(d|tojson)|length;d|tojson|safe;'x' + (d|tojson|safe);d|tojson(indent=2)|indent(4);d|tojson|replace('"', "'");[1e400]|tojson;d|tojson(nope=1)""",
    "strings": """n|string;t|string;list|string;d|string;x|string;missing|string;args.hours|string;i|string + '1';words|join;words|join(', ');list|join('-');mixed|join('|');people|join(', ', attribute='name');e|join(',');missing|join(',');n|join(',');d|join(',');'abc'|join('-');words|join(d='+');words|join(1);html|escape;html|e;html|e|e;html|forceescape;html|e + '<';'<' + (html|e);(html|e) ~ '<';html|e|length;html|safe;html|escape|string + '&';5|e;n|e;missing|e;[html|e];'a b&c/d?é😀'|urlencode;d|urlencode;[('a', 'b c')]|urlencode;s|truncate(8);s|truncate(5, true);s|truncate(5, true, '');s|truncate(8, leeway=0);s|truncate(8, false, '..', 0);'one two three four'|truncate(12, leeway=0);s|truncate(2);s|wordcount;u|wordcount;lines|indent;lines|indent(2, true);lines|indent(2, blank=true);lines|indent('> ');lines|indent(first=true, width=1);e|indent;5|indent;'a\\n'|indent ~ '|';1000|filesizeformat;1|filesizeformat;1500000|filesizeformat;1500000|filesizeformat(true);999|filesizeformat""",
    "numbers": """'42'|int;'42.7'|int;'x'|int;'x'|int(5);'x'|int(default=5);'0x1F'|int(base=16);'1F'|int(0, 16);'0b11'|int(0, 0);'  42  '|int;'1_000'|int;'-5'|int;n|int;t|int;x|int;-2.9|int;e|int;list|int;'inf'|int;'nan'|int;'1e3'|int;missing|int;'3.5'|float;'x'|float;'x'|float(1.5);i|float;n|float;'inf'|float;'1e5'|float;' 2 '|float;t|float;missing|float;j|abs;-2.5|abs;'a'|abs;n|abs;t|abs;x|round;3.5|round;2.5|round|int;2.675|round(2);1.005|round(2);0.125|round(2);1234.5|round(-2);7|round;7|round(2);2.1|round(method='ceil');2.9|round(0, 'floor');2.45|round(1, 'ceil');2|round(method='up');42.55|round(1, 'floor');-0.4|round;1e300|round(2);5|round(1, 'ceil');-7|abs;'٣'|int;'4.'|float;'.5'|float;'1__0'|int;'0777'|int;'08'|int(0, 0)""",
    "tests": """s is string;n is string;1 is number;t is number;1.5 is number;'1' is number;1 is integer;t is integer;1.0 is integer;1.0 is float;1 is float;d is mapping;list is mapping;list is sequence;s is sequence;d is sequence;n is sequence;missing is sequence;(1,) is sequence;range(2) is sequence;d.items() is sequence;list is iterable;s is iterable;5 is iterable;missing is iterable;n is iterable;d.items() is iterable;missing is defined;n is defined;missing is undefined;d.a is defined;d.zz is defined;d.zz is not defined;n is none;missing is none;0 is none;t is boolean;1 is boolean;t is true;f is false;e is false;3 is odd;4 is even;4 is odd;6 is divisibleby 3;6 is divisibleby(4);1.5 is even;'a' is even;1 is eq 1;1 is equalto(2);1 is ne 2;1 is lt 2;2 is ge 2;2 is gt(1);1 is lessthan 2;1 is greaterthan 0;1 is in [1, 2];'a' is in 'abc';3 is not in list;'abc' is lower;'ABC' is upper;'aB' is lower;'1' is lower;1 is upper;n is sameas none;t is sameas true;d is sameas d;list is sameas [3, 1, 2];1 is sameas 1.0;range is callable;s is callable;s.upper is callable;missing is callable;'upper' is filter;'nope' is filter;'odd' is test;'nope' is test;html is escaped;(html|e) is escaped;1 is nope;s is string and n is none;not s is string;s is not none and s is string;list[0] is odd;s is string is true;1 is not 2;d is mapping or x;'a' is not in ['b'];1 + 1 is even;namespace() is mapping;d is mapping and d is not string;loop is defined;caller is defined""",
    "names": """bos_token + 'x' + eos_token;add_generation_prompt;tools is none;tools is defined;tools and tools|length;self is defined;dict(a=1, b=2);dict({'a': 1}, b=2);dict([('a', 1)]);dict(d, a=5);dict();dict(1);dict('ab');range(0);range(5, 0, -2)|list;range(3)|sum;range(1.5);range('a');range(1, 2, 0);range(200000)|length;range(100000)|length;namespace(d).a;joiner() is defined;cycler(1, 2).next();range;strftime_now('%%');raise_exception('no');lipsum is defined;cycler()""",
}

TEMPLATES = {
    "trim": "{% if t %}\n  a\n{% endif %}\n  {% if t %}\n b\n  {% endif %}\nc {% if t %} d {% endif %} e\n\t{# comment #}\n f {#- x -#} \n g\n",
    "minus": "a  {%- if t -%}  b  {%- endif -%}  c {{- ' d ' -}} e  \n {{- 1 }}\n{{ 2 -}}  \n  f {#- x #} g",
    "plus": "  {%+ if t +%}\n  a\n  {%+ endif +%}\nb\n {%+ set x = 1 %}\n{{ x }}\n  {#+ c +#}\n d",
    "line ends": "a\r\nb\rc\n{{ 'x\r\ny' }}\r\n{% if t %}\r\n d\r\n{% endif %}\r\n",
    "last line break": "a\n\n",
    "last line break after a block": "{% if t %}a{% endif %}\n",
    "indented output": "  {{ 1 }}\n  {{- 2 }}\n  {% set y = 1 %}  {{ y }}\n {% set y = 2 %}x",
    "raw": "{% raw %}{{ not }} {% this %} {# nor #}{% endraw %} {%- raw -%}  a  {%- endraw -%}  b\n  {% raw %}\n c\n  {% endraw %}\n d",
    "comments": "a{# {{ x }} {% if %} #}b{#-  -#} c {##}d{# multi\nline #}\ne",
    "braces": "{{ {'a': {'b': 1}}['a']['b'] }}{{ {'a': {}} }}{% set z = {'x': {'y': 2}} %}{{ z.x.y }} { } {x} }} %}",
    "quotes": """{{ 'a}}b' }}{{ "%}" }}{% if '%}' == "%}" %}same{% endif %}{{ 'it''s' }}{{ "a" 'b' }}""",
    "for": "{% for x in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}:{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "for else": "{% for x in empty %}x{% else %}none{% endfor %}{% for x in list %}{{ x }}{% else %}none{% endfor %}{% for x in list if x > 5 %}{{ x }}{% else %}nope{% endfor %}{% for x in missing %}x{% else %}missing{% endfor %}",
    "for if": "{% for x in list if x != 1 %}{{ loop.index }}/{{ loop.length }}={{ x }}{{ ' last' if loop.last }} {% endfor %}",
    "for items": "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for k, v in d|dictsort %}{{ k }}{{ v }}{% endfor %}",
    "for unpack": "{% for a, (b, c) in [(1, (2, 3)), [4, [5, 6]]] %}{{ a }}{{ b }}{{ c }} {% endfor %}{% for a, b in nested %}{{ a }}{% endfor %}",
    "for text": "{% for c in u %}[{{ c }}]{% endfor %}",
    "for of none": "{% for x in n %}{{ x }}{% endfor %}",
    "for neighbours": "{% for m in messages %}{{ loop.previtem.role if loop.previtem is defined else '^' }}<{{ m.role }}>{{ loop.nextitem.role if not loop.last }} {% endfor %}{% for x in list %}{{ loop.previtem }}|{{ loop.nextitem }};{% endfor %}",
    "for cycle": "{% for x in range(5) %}{{ loop.cycle('a', 'b', 'c') }}{% if loop.changed(x // 2) %}!{% endif %}{% endfor %}",
    "for nested": "{% for row in nested %}{% set outer = loop %}{% for x in row %}{{ outer.index }}.{{ loop.index }}={{ x }} {% endfor %}{% endfor %}{{ loop is defined }}",
    "for recursive": "{% for node in tree recursive %}({{ loop.depth }}{{ node.v }}{{ loop(node.sub) }}){% endfor %}",
    "for not recursive": "{% for node in tree %}{{ loop(node.sub) }}{% endfor %}",
    "for tuple": "{% for x in 1, 2, 3 %}{{ x }}{% endfor %}{% for x in (4, 5) %}{{ x }}{% endfor %}{% for x in [6] + list %}{{ x }}{% endfor %}",
    "for condition": "{% for x in (list if f else [9]) %}{{ x }}{% endfor %}",
    "for scope": "{% set y = 0 %}{% for x in list %}{% set y = y + x %}{{ y }} {% endfor %}{{ y }}{{ x is defined }}",
    "for shadow": "{% set x = 'out' %}{% for x in list %}{{ x }}{% endfor %}{{ x }}{% for m in messages[:1] %}{% set m = 'in' %}{{ m }}{% endfor %}",
    "for reset": "{% for x in list %}{{ y is defined }}{% set y = x %}{% if x == 1 %}{% set z = 'one' %}{% endif %}{{ z }} {% endfor %}",
    "break": "{% for x in range(9) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% else %}e{% endfor %}",
    "break first": "{% for x in list %}{% break %}{% else %}else after break{% endfor %}{% for x in list %}{% continue %}{% else %}else after continue{% endfor %}",
    "lazy filter": "{% set ns = namespace(seen=false) %}{% for x in range(5) if not ns.seen %}{{ x }}{% if x == 2 %}{% set ns.seen = true %}{% endif %}{% endfor %}",
    "lazy filter with last": "{% set ns = namespace(seen=false) %}{% for x in range(5) if not ns.seen %}{{ x }}{{ loop.last }}{% if x == 2 %}{% set ns.seen = true %}{% endif %}{% endfor %}",
    "once": "{% set g = list|map('string') %}{{ g|list }}{{ g|list }}{% set h = words|select %}{% for x in h %}{{ x }}{{ loop.length }}{% endfor %}{% for x in h %}again{% endfor %}",
    "generator length": "{{ (list|map('string'))|length }}",
    "printed generator": "{{ list|map('string') }}",
    "if": "{% if f %}a{% elif n %}b{% elif list %}c{% else %}d{% endif %}{% if missing %}x{% else %}y{% endif %}{% if not list %}1{% elif 0 %}2{% endif %}{% if t %}{% if f %}{% else %}in{% endif %}{% endif %}",
    "if tuple": "{% if f, f %}tuple{% endif %}",
    "if colon": "{% if t: %}a{% endif %}{% for x in list: %}{{ x }}{% endfor %}",
    "if scope": "{% if t %}{% set v = 1 %}{% endif %}{{ v }}{% if f %}{% set w = 1 %}{% endif %}{{ w is defined }}",
    "set": "{% set a = 1 %}{% set b, c = 2, 3 %}{% set (d1, e1) = [4, 5] %}{{ a }}{{ b }}{{ c }}{{ d1 }}{{ e1 }}{% set tup = 1, 2 %}{{ tup }}{% set a = a + 1 %}{{ a }}",
    "set block": "{% set a %}x{{ 1 }}\n y{% endset %}[{{ a }}]{% set b | upper | replace('X', 'z') %}x y{% endset %}{{ b }}{{ a is string }}",
    "set block scope": "{% set y = 1 %}{% set a %}{% set y = 2 %}{{ y }}{% endset %}{{ a }}{{ y }}",
    "set wrong": "{% set a, b = list %}",
    "namespace": "{% set ns = namespace(a=1, l=[]) %}{% for x in list %}{% set ns.a = ns.a + x %}{% set ns.l = ns.l + [x] %}{% endfor %}{{ ns.a }}{{ ns.l }}{{ ns.b is defined }}{% set ns.b = 1 %}{{ ns.b }}{{ ns }}",
    "namespace items": "{% set ns = namespace() %}{{ ns['a'] is defined }}{% set ns.a = 2 %}{{ ns['a'] }}{{ ns.items is defined }}",
    "namespace wrong": "{% set d.x = 1 %}",
    "macro": "{% macro f(a, b=2, c='x') %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ f(1) }}{{ f(1, 3) }}{{ f(1, c=5) }}{{ f(a=1, b=none) }}{{ f() }}{{ f(1)|length }}{{ f(1) is string }}{{ f.name }}{{ f.arguments }}{{ f.catch_kwargs }}{{ f.caller }}",
    "macro defaults": "{% macro f(a, b=a ~ '!', c=b ~ '?') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }}{{ f(1, c=2) }}",
    "macro rest": "{% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, 3, x=4) }}{{ f(1) }}",
    "macro wrong": "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}",
    "macro wrong name": "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, b=2) }}",
    "macro twice": "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, a=2) }}",
    "macro scope": "{% set y = 1 %}{% macro f() %}{{ y }}{{ z1 }}{% set y = 5 %}{{ y }}{% endmacro %}{% set y = 2 %}{% set z1 = 3 %}{{ f() }}{{ y }}{% for x in list %}{{ f() }}{% endfor %}",
    "macro in loop": "{% macro f(m) %}{{ m.role }}{{ loop is defined }}{{ x is defined }}{% endmacro %}{% for x in messages %}{{ f(x) }} {% endfor %}",
    "macro recursive": "{% macro f(t1, k) %}{% for x in t1 %}{{ k }}{{ x.v }}{{ f(x.sub, k + 1) }}{% endfor %}{% endmacro %}{{ f(tree, 0) }}",
    "macro star": "{% macro f(a, b, c=0) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(*[1, 2]) }}{{ f(*[1], **{'b': 5, 'c': 6}) }}{{ f(**{'a': 1, 'b': 2}) }}",
    "macro trim": "{%- macro f(x) -%}\n  {{ x }}\n{%- endmacro -%}\n{{ f(1) }}{{ f(f(2)) }}",
    "macro in macro": "{% macro a(x) %}<{{ x }}>{% endmacro %}{% macro b(x) %}{{ a(x ~ 1) }}{{ a(x) }}{% endmacro %}{{ b(2) }}{{ b(a(3)) }}",
    "macro kept": "{% macro f() %}x{% endmacro %}{% set g = f %}{{ g() }}{{ f is callable }}{{ [f][0]() }}",
    "call": "{% macro box(t1) %}<{{ t1 }}>{{ caller() }}</{{ t1 }}>{% endmacro %}{% call box('a') %}in {{ s }}{% endcall %}{% macro rows(l) %}{% for x in l %}{{ caller(x, loop.index) }}{% endfor %}{% endmacro %}{% call(x, k=0) rows(list) %}{{ k }}:{{ x }} {% endcall %}",
    "call without caller": "{% macro f() %}x{% endmacro %}{% call f() %}y{% endcall %}",
    "caller absent": "{% macro f() %}{% if caller %}{{ caller() }}{% else %}-{% endif %}{% endmacro %}{{ f() }}{% call f() %}y{% endcall %}",
    "filter block": "{% filter upper %}a{{ s }}{% endfilter %}{% filter trim | replace('a', 'b') %}  banana  {% endfilter %}{% filter indent(2) %}\na\nb{% endfilter %}",
    "with": "{% set a = 0 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% set c = 5 %}{% endwith %}{{ a }}{{ c is defined }}{% with %}{% set a = 9 %}{{ a }}{% endwith %}{{ a }}",
    "print": "{% print 1, 'a', s %}{% print s|upper %}",
    "output of a tuple": "{{ 1, 2 }}{{ (1, 'a') }}{{ 1, }}",
    "generation": "{% for m in messages[:4] %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% set zz = 1 %}{% endgeneration %}{{ zz is defined }}{% else %}{{ m.role }}{% endif %}\n{% endfor %}",
    "generation trims": "a\n  {% generation %}\n  b\n  {% endgeneration %}\n c {%- generation -%}  d  {%- endgeneration %}  e",
    "break in generation": "{% for x in list %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
    "loop in generation": "{% for x in list %}{% generation %}{{ loop.index }}{{ x }}{% endgeneration %},{% endfor %}",
    "cycler": "{% set c1 = cycler('a', 'b') %}{{ c1.next() }}{{ c1.current }}{{ c1.next() }}{{ c1.next() }}{{ c1.reset() }}{{ c1.current }}",
    "joiner": "{% set sep = joiner(', ') %}{% for x in list %}{{ sep() }}{{ x }}{% endfor %}{% set sep = joiner() %}{{ sep() }}{{ sep() }}",
    "undefined printed": "[{{ missing }}][{{ d.zz }}][{{ messages[99] }}][{{ (missing) }}]",
    "undefined used": "{{ missing.x }}",
    "undefined called": "{{ missing() }}",
    "unknown tag": "{% nope %}",
    "unknown filter": "{{ s|nope }}",
    "unknown filter that is not reached": "{% if f %}{{ s|nope }}{% endif %}ok",
    "unclosed": "{% if t %}a",
    "unclosed tag": "{{ s",
    "unclosed comment": "{# s",
    "unclosed raw": "{% raw %}x",
    "unbalanced": "{{ (1 }}",
    "wrong end": "{% if t %}a{% endfor %}",
    "empty output": "{{ }}",
    "break alone": "{% break %}",
    "set constant": "{% set true = 1 %}",
    "arguments": "{{ range(1, *[3])|list }}{{ dict(a=1, **{'b': 2}) }}{{ 'a,b'.split(*[',']) }}",
    "arguments repeated": "{{ dict(a=1, a=2) }}",
    "keyword first": "{{ dict(a=1, 2) }}",
    "filters and calls": "{{ (words|map('upper')|list)[0] }}{{ s|upper|lower|title }}{{ -1|abs }}{{ -5 + 3|abs }}{{ not s|length > 3 }}{{ 'a' ~ 'b'|upper }}{{ [1, 2]|first + 1 }}{{ 1 + 2|string|length }}{{ s.split(' ')|first|upper }}",
    "precedence": "{{ 1 + 2 * 3 ** 2 - 4 // 3 % 2 }}{{ 'a' ~ 1 + 2 }}{{ 2 * 'a' ~ 'b' }}{{ not t and f or t }}{{ 1 < 2 and 2 < 3 }}{{ -2 ** 2 }}{{ 2 ** -1 }}{{ 1 if t else 2 + 5 }}{{ (1, 2)[0] + 1 }}{{ 'x' in 'xy' == true }}{{ 1 == 1 in [1, true] }}",
    "tests and arguments": "{{ 1 is eq 1 and true }}{{ s is string and s is not none }}{{ i is divisibleby 7 or f }}{{ 'a' is in ['a'] }}{{ not missing is defined }}{{ x is not defined or x is number }}{{ 3 is odd | string }}",
    "python values in text": "{% for name, value in args|items %}<{{ name }}>{{ value }}</{{ name }}>{% endfor %}{% for name, value in args.items() %}<{{ name }}>{{ value|string }}|{{ value ~ '' }}</{{ name }}>{% endfor %}",
    "tool calls": "{% for m in messages %}{% if m.tool_calls %}{% for c in m.tool_calls %}{% if c.function is defined %}{% set c = c.function %}{% endif %}{{ '{\"name\": \"' ~ c.name ~ '\", \"arguments\": ' }}{% if c.arguments is string %}{{ c.arguments }}{% else %}{{ c.arguments|tojson }}{% endif %}}{% endfor %}{% endif %}{% endfor %}",
    "last user": "{% set ns = namespace(multi=true, last=messages|length - 1) %}{% for m in messages[::-1] %}{% set index = (messages|length - 1) - loop.index0 %}{% if ns.multi and m.role == 'user' and m.content is string and not (m.content.startswith('<r>') and m.content.endswith('</r>')) %}{% set ns.multi = false %}{% set ns.last = index %}{% endif %}{% endfor %}{{ ns.last }}",
    "parts": "{% macro text(content) %}{% if content is string %}{{ content }}{% elif content is iterable and content is not mapping %}{% for p in content %}{% if 'image' in p or 'image_url' in p or p.type == 'image' %}<img>{% elif 'text' in p %}{{ p.text }}{% endif %}{% endfor %}{% elif content is none or content is undefined %}{% else %}{{ raise_exception('what') }}{% endif %}{% endmacro %}{% for m in messages %}{{ text(m.content)|trim }};{% endfor %}{{ text(missing) }}{{ text(n) }}",
    "raised": "{{ raise_exception('Roles must alternate: ' ~ s) }}",
    "typescript types": "{% macro kind(p) %}{% if p.type is string %}{{ p.type }}{% elif p.type is iterable and p.type is not mapping %}{{ p.type|join(' | ') }}{% endif %}{% if p.enum %}{{ p.enum|map('tojson')|join('|') }}{% endif %}{% if 'default' in p %} = {{ p.default|tojson }}{% endif %}{% endmacro %}{% for name, p in schema.properties.items() %}{{ name }}{{ '?' if name not in schema.required }}: {{ kind(p) }}{{ ',' if not loop.last }}{% endfor %}",
    "immutable": "{% set l = [] %}{% set _ = l.append(1) %}",
    "do": "{% do 1 %}",
    "self": "{{ self }}",
    "numbers as keys": "{% set m = {1: 'a', 2: 'b'} %}{{ m[1] }}{{ m[2.0] }}{{ m[true] }}{{ 1 in m }}{{ m.get(2) }}{{ m['1'] is defined }}",
    "long condition": "{{ 'a' if f else 'b' if f else 'c' }}{{ ('a' if t) ~ ('b' if f) }}{{ [1 if t else 2, 3] }}",
    "chained calls": "{{ s.replace('o', '0').upper().split(' ')[-1][::-1].strip('D') }}",
    "multi line": "{{\n  s\n  |upper\n}}{%\n  if t\n%}\nx\n{%- endif\n%}{{ [\n1,\n2,\n] }}{{ {'a': 1,} }}{{ range(\n3,\n)|list }}",
    "white space": "{{1}}{{  2  }}{%if t%}3{%endif%}{%-if t-%} 4 {%-endif-%} 5",
    "unicode": "日本 {{ u }} 😀{% if '😀' in u %} yes {% endif %}{{ u.split('😀') }}{{ u|length }}{{ '😀'|list }}",
}

cases = []
for group, expressions in EXPRESSIONS.items():
    for expression in expressions.split(";"):
        cases.append({"name": f"{group}: {expression.strip()}", "template": "{{ " + expression.strip() + " }}"})
for name, template in TEMPLATES.items():
    cases.append({"name": name, "template": template})
for case in cases:
    try:
        case["text"] = _compile_jinja_template(case["template"]).render(**CONTEXT)
        if " at 0x" in case["text"]:
            # an address: it differs from run to run
            case["address"] = True
            del case["text"]
    except Exception as error:
        case["error"] = f"{type(error).__name__}: {error}"

target = os.path.join(os.path.dirname(__file__), "..", "fixtures", "jinja.json")
with open(target, "w", encoding="utf-8") as file:
    json.dump({"context": CONTEXT, "cases": cases}, file, indent=1, ensure_ascii=True)
print(sum("text" in case for case in cases), "rendered,", sum("error" in case for case in cases), "refused,", sum("address" in case for case in cases), "with addresses")
