"""The Lua scripts: each changes everything it changes in one step, or nothing.

The first argument of those that carry out a request is its note, the second the seconds for which notes are kept. A request that
has a note already was carried out before: that is said, and nothing is changed. Keys and arguments begin alike in all of
them: KEYS head, note; ARGV note, its seconds. The others may be sent again too, and answer as at first.

What is announced comes last and by pcall: a Redis that lets nobody publish still keeps memories.
"""

# KEYS: ..., log, then the staged chunks that the first entry refers to. ARGV: ..., channel, announcement, number of parts of
# the head, the parts of the head, the parts of the first entry, if any.
CREATE = """
if redis.call('EXISTS', KEYS[2]) == 1 then return {'repeated'} end
if redis.call('EXISTS', KEYS[1]) == 1 then return {'exists'} end
for i = 4, #KEYS do
    if redis.call('EXISTS', KEYS[i]) == 0 then return {'moved'} end
end
for i = 4, #KEYS do redis.call('PERSIST', KEYS[i]) end
local parts = 5 + tonumber(ARGV[5])
redis.call('HSET', KEYS[1], unpack(ARGV, 6, parts))
if #ARGV > parts then redis.call('XADD', KEYS[3], '1-0', unpack(ARGV, parts + 1)) end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
return {'done'}
"""

# KEYS: ..., log. ARGV: ..., channel, announcement, uid, revision, commit, bytes of the entry, number of parts of the head, the
# parts of the head, the parts of the entry.
COMMIT = """
if redis.call('EXISTS', KEYS[2]) == 1 then return {'repeated'} end
local head = redis.call('HMGET', KEYS[1], 'uid', 'revision', 'commit')
if head[1] ~= ARGV[5] or head[2] ~= ARGV[6] or head[3] ~= ARGV[7] then return {'moved'} end
local parts = 9 + tonumber(ARGV[9])
redis.call('XADD', KEYS[3], string.format('%d-0', ARGV[6] + 1), unpack(ARGV, parts + 1))
redis.call('HSET', KEYS[1], unpack(ARGV, 10, parts))
redis.call('HINCRBY', KEYS[1], 'log_bytes', ARGV[8])
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
return {'done'}
"""

# For a request that finds nothing left to do. ARGV: ..., uid, '' where there must be no memory.
NOTE = """
if redis.call('EXISTS', KEYS[2]) == 1 then return {'repeated'} end
if (redis.call('HGET', KEYS[1], 'uid') or '') ~= ARGV[3] then return {'moved'} end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
return {'done'}
"""

# KEYS: ..., remains, log, then the chunks that the memory refers to. ARGV: ..., channel, announcement, uid, revision, commit,
# blob, generation, bytes of a spec that remains. The spec, if short, remains as long as notes are kept, since repeats are
# answered with it. Deleting comes first: from then on a Redis that is full lets the script write.
DELETE = """
if redis.call('EXISTS', KEYS[2]) == 1 then return {'repeated'} end
local head = redis.call('HMGET', KEYS[1], 'uid', 'revision', 'commit', 'blob', 'generation')
if head[1] ~= ARGV[5] or head[2] ~= ARGV[6] or head[3] ~= ARGV[7] then return {'moved'} end
if (head[4] or '') ~= ARGV[8] or (head[5] or '0') ~= ARGV[9] then return {'moved'} end
local spec = redis.call('HGET', KEYS[1], 'spec')
redis.call('UNLINK', KEYS[1])
for i = 4, #KEYS do redis.call('UNLINK', KEYS[i]) end
if spec and #spec <= tonumber(ARGV[10]) then
    redis.call('HSET', KEYS[3], 'uid', ARGV[5], 'spec', spec)
    redis.call('EXPIRE', KEYS[3], ARGV[2])
end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
return {'done'}
"""

# Deletes the head of a memory that cannot be read, the last that there is of it. See DELETE for the order.
DISCARD = """
redis.call('UNLINK', KEYS[1])
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
"""

# Puts a snapshot in place of another. KEYS: head, then the new chunks, then those to be replaced. ARGV: uid, generation, blob,
# lowest revision it may have, its revision, new blob, its manifest, number of new chunks, seconds that the replaced ones live on.
SWAP = """
local head = redis.call('HMGET', KEYS[1], 'uid', 'generation', 'blob', 'revision')
if head[1] == ARGV[1] and head[3] == ARGV[6] then return {'done'} end
if head[1] ~= ARGV[1] or (head[2] or '0') ~= ARGV[2] or (head[3] or '') ~= ARGV[3] then return {'moved'} end
if tonumber(ARGV[5]) < tonumber(ARGV[4]) or tonumber(ARGV[5]) > tonumber(head[4]) then return {'moved'} end
local last = 1 + tonumber(ARGV[8])
for i = 2, last do
    if redis.call('EXISTS', KEYS[i]) == 0 then return {'moved'} end
end
for i = 2, last do redis.call('PERSIST', KEYS[i]) end
for i = last + 1, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[9]) end
redis.call('HSET', KEYS[1], 'blob', ARGV[6], 'snapshot', ARGV[7])
return {'done'}
"""

# Begins a new generation: entries up to a revision give way to a base that says what they add up to. KEYS: head, log, then the
# new chunks, then those to be replaced. ARGV: uid, generation, revision of the base, its commit, its manifest, bytes of the entries
# that go, number of new chunks, seconds that the replaced ones live on.
COMPACT = """
local head = redis.call('HMGET', KEYS[1], 'uid', 'generation', 'base')
if head[1] == ARGV[1] and head[3] == ARGV[5] then return {'done'} end
if head[1] ~= ARGV[1] or (head[2] or '0') ~= ARGV[2] then return {'moved'} end
local at = redis.call('XRANGE', KEYS[2], ARGV[3] .. '-0', ARGV[3] .. '-0')
if #at == 0 then return {'moved'} end
for i = 1, #at[1][2], 2 do
    if at[1][2][i] == 'commit' and at[1][2][i + 1] ~= ARGV[4] then return {'moved'} end
end
local last = 2 + tonumber(ARGV[7])
for i = 3, last do
    if redis.call('EXISTS', KEYS[i]) == 0 then return {'moved'} end
end
for i = 3, last do redis.call('PERSIST', KEYS[i]) end
for i = last + 1, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[8]) end
redis.call('XTRIM', KEYS[2], 'MINID', string.format('%d-0', ARGV[3] + 1))
redis.call('HSET', KEYS[1], 'generation', ARGV[2] + 1, 'base', ARGV[5])
redis.call('HINCRBY', KEYS[1], 'log_bytes', -ARGV[6])
redis.call('HDEL', KEYS[1], 'imported')
return {'done'}
"""

# Deletes what was staged. What a memory refers to has no TTL, and stays: whoever sent a command again may be told of its own
# doing as of somebody else's. KEYS: chunks.
UNSTAGE = """
for i = 1, #KEYS do
    if redis.call('TTL', KEYS[i]) > 0 then redis.call('UNLINK', KEYS[i]) end
end
"""

# Lets another write, unless one does already. KEYS: writer. ARGV: who has written.
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
