-- Moves up to ARGV[3] messages, first of `taken`, then of `source`, into their chats. Who types is waited for.
-- -> {moved, next due, 1 when more are waiting, then of the messages that could not be placed: the index
--     in KEYS of the list that they head (0 when there are none), why, {messages}}
local LIMIT, REMEMBER = tonumber(ARGV[3]), 7 * 24 * 3600 * 1000
local CHUNK, BUDGET, STUCK = 32, 8 * 1024 * 1024, 100
local chats, members, closing, typing = {}, {}, {}, {}
local total, bytes, stuck_in, more = 0, 0, 0, 0

local function add(member, raw, mark)
  total, bytes = total + 1, bytes + #raw
  if mark == 'typing' then
    typing[#typing + 1] = member
    return
  end
  closing[member] = closing[member] or mark
  local chat = chats[member]
  if not chat then
    chat = {}
    chats[member], members[#members + 1] = chat, member
  end
  chat[#chat + 1] = raw
end

-- How many messages at the head of KEYS[index] were added. A member is false when no more fit, nil when stuck.
local function read_head(index)
  local count = 0
  while true do
    local raws = redis.call('LRANGE', KEYS[index], count, count + CHUNK - 1)
    for _, raw in ipairs(raws) do
      local member, mark = false, nil
      if total < LIMIT and bytes < BUDGET then member, mark = member_of(raw) end
      if not member then
        more = 1
        if member == nil then stuck_in = index end
        return count
      end
      add(member, raw, mark)
      count = count + 1
    end
    if #raws < CHUNK then return count end
  end
end

-- Appends every chat's messages. -> deadlines for ZADD, messages of chats whose key is not a list.
local function append()
  local first, closed = redis.call('HMGET', OPENED, unpack(members)), redis.call('HMGET', CLOSING, unpack(members))
  local opened, due, refused = {}, {}, {}
  for i, member in ipairs(members) do
    local length = redis.pcall('RPUSH', ITEMS .. member, unpack(chats[member]))
    if type(length) == 'number' then
      redis.call('SET', LAST .. member, NOW, 'PX', REMEMBER)
      if not first[i] then opened[#opened + 1], opened[#opened + 2] = member, NOW end
      if closing[member] and not closed[i] then redis.call('HSET', CLOSING, member, closing[member]) end
      local at_once = closing[member] or closed[i]
      local closes = at_once and NOW or closes_at(member, tonumber(first[i]) or NOW, NOW, length)
      due[#due + 1], due[#due + 2] = closes, member
    elseif string.find(length.err, 'WRONGTYPE') then
      for _, raw in ipairs(chats[member]) do refused[#refused + 1] = raw end
    else
      return length -- out of memory and the like: raised by the first write, so nothing has changed
    end
  end
  if #opened > 0 then redis.call('HSET', OPENED, unpack(opened)) end
  if #due > 0 then redis.call('ZADD', DEADLINES, unpack(due)) end
  return refused
end

-- Typing is no message: it moves the deadline of a chat that is gathering, and opens none.
local function wait_for_typing()
  for _, member in ipairs(typing) do
    local length = redis.call('HEXISTS', OPENED, member) == 1 and redis.pcall('LLEN', ITEMS .. member)
    if type(length) == 'number' and length > 0 then
      redis.call('HSET', TYPED, member, NOW)
      redis.call('ZADD', DEADLINES, due_at(member, length), member)
    end
  end
end

local function put_back(raws)
  for i = #raws, 1, -1 do redis.call('LPUSH', TAKEN, raws[i]) end
end

-- The unreadable messages at the head of KEYS[index], at least one of them.
local function stuck_head(index)
  local stuck, size = {}, 0
  for i = 0, STUCK - 1 do
    local raw = redis.call('LINDEX', KEYS[index], i)
    if not raw or member_of(raw) or (i > 0 and size + #raw > BUDGET) then break end
    stuck[#stuck + 1], size = raw, size + #raw
  end
  return stuck
end

local from_taken = read_head(2)
local from_source = more == 0 and read_head(1) or 0
local refused = {}
if total > 0 then
  if #members > 0 then refused = append() end
  if refused.err then return refused end
  wait_for_typing()
  if from_taken > 0 then redis.call('LTRIM', TAKEN, from_taken, -1) end
  if from_source > 0 then redis.call('LTRIM', SOURCE, from_source, -1) end
end
put_back(refused)
local moved = total - #refused - #typing
if #refused > 0 then return { moved, next_deadline(), 1, 2, 'refused', refused } end
return { moved, next_deadline(), more, stuck_in, 'unread', stuck_in > 0 and stuck_head(stuck_in) or {} }
